"""Draws what stands in front: the README's picture, which is the registry's banner too, and the icon.

    python -m tools.make_front_pictures     # writes docs/images/before-after.jpg and docs/images/icon.png

Needs Pillow, and in output/ what `python quickstart.py --workflow NAME` makes, for the three workflows of COLUMNS.
"""

from __future__ import annotations

import argparse
import math

from PIL import Image, ImageDraw, ImageOps

from . import ROOT

FOLDER = ROOT / "docs" / "images"
COLUMNS = (  # workflow, before, after: scratched and noisy, blurred, shrunk to a quarter
    ("restore-photo", "1_damaged", "2_restored"),
    ("deblurring", "1_damaged", "2_map"),
    ("super-resolution", "1_damaged", "3_sample"),
)
CELL = 384, 246
GAP = 12  # three columns and two rows with it between them are 1176 x 504, the registry's 21:9

ICON = 400  # pixels a side, the most that the registry takes
FINE = 4  # drawn this many times larger, for smooth edges
BLOCKS = 10  # of the coarse half, in a row
NIGHT, PETAL, HEART, LINE = (18, 49, 58), (240, 138, 60), (206, 66, 38), (255, 255, 255)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    before_after().save(FOLDER / "before-after.jpg", quality=90)
    icon().save(FOLDER / "icon.png", optimize=True)


def before_after() -> Image.Image:
    """Above what the nodes were given, below what they made of it."""
    (width, height), rows = CELL, list(zip(*(columns[1:] for columns in COLUMNS), strict=True))
    size = len(COLUMNS) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP
    picture = Image.new("RGB", size, "white")
    for j, names in enumerate(rows):
        for i, name in enumerate(names):
            cell = cut(Image.open(ROOT / "output" / COLUMNS[i][0] / f"{name}.png").convert("RGB"))
            picture.paste(cell, (i * (width + GAP), j * (height + GAP)))
    return picture


def cut(image: Image.Image) -> Image.Image:
    """A cell's worth of it; a small picture's pixels stay visible."""
    resampling = Image.Resampling.NEAREST if image.width < CELL[0] / 2 else Image.Resampling.LANCZOS
    return ImageOps.fit(image, CELL, resampling)


def icon() -> Image.Image:
    """A flower, its left half in coarse pixels, with rounded corners."""
    fine = flower(ICON * FINE)
    sharp = fine.resize((ICON, ICON), Image.Resampling.LANCZOS)
    coarse = fine.resize((BLOCKS, BLOCKS), Image.Resampling.BOX).resize((ICON, ICON), Image.Resampling.NEAREST)
    sharp.paste(coarse.crop((0, 0, ICON // 2, ICON)))
    ImageDraw.Draw(sharp).rectangle((ICON // 2 - 3, 0, ICON // 2 + 2, ICON), LINE)
    corners = Image.new("L", fine.size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, *fine.size), radius=fine.width // 6, fill=255)
    sharp.putalpha(corners.resize(sharp.size, Image.Resampling.LANCZOS))
    return sharp


def flower(size: int) -> Image.Image:
    picture = Image.new("RGB", (size, size), NIGHT)
    draw = ImageDraw.Draw(picture)
    for ring, petals, color in ((0.27, 10, PETAL), (0.15, 8, mix(PETAL, HEART))):
        for i in range(petals):
            angle = 2 * math.pi * (i + 0.5) / petals
            disk(draw, size, (ring * math.cos(angle), ring * math.sin(angle)), 0.115, color)
    disk(draw, size, (0, 0), 0.11, HEART)
    return picture


def disk(draw: ImageDraw.ImageDraw, size: int, place: tuple[float, float], radius: float, color) -> None:
    """place: of its center from the picture's, and radius, in parts of the size."""
    x, y = ((0.5 + part) * size for part in place)
    draw.ellipse((x - radius * size, y - radius * size, x + radius * size, y + radius * size), fill=color)


def mix(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((a + b) // 2 for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    main()
