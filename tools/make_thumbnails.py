"""Makes the workflows' thumbnails from pictures that they have made: left half before and right half after.

    python -m tools.make_thumbnails             # writes workflows/*.jpg
    python -m tools.make_thumbnails NAME ...    # these alone

Needs Pillow, and in output/ what `python quickstart.py --workflow NAME` makes, for each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from . import ROOT

SIZE = 480
WORKFLOWS = {  # before, after, and which square of a wide picture: 0 the left one, 1 the right one
    "quickstart": ("2_measurement", "4_level-2", 0.5),
    "super-resolution": ("1_damaged", "3_sample", 0.5),
    "deblurring": ("1_damaged", "3_sample", 0.0),
    "inpainting": ("1_damaged", "3_sample", 0.5),
    "denoising": ("1_damaged", "3_sample", 0.25),
    "restore-photo": ("1_damaged", "2_restored", 0.5),
    "traversal": ("1_damaged", "3_level-4", 0.5),
    "latent_quickstart": ("2_measurement", "4_less_renoised", 0.5),
    "enlarge-photo": ("1_small", "3_restored", 0.5),
    "denoise-photo": ("1_noisy", "3_sample", 0.5),
    "deblur-photo": ("1_blurred", "2_map", 0.0),
    "jpeg-photo": ("1_jpeg", "2_restored", 0.5),
    "old-photo": ("1_old", "3_sample", 0.5),
    "inpaint-photo": ("1_painted", "2_filled", 0.5),
    "photo-batch": ("1_noisy-2", "2_restored-2", 0.5),
    "bayer-raw": ("1_mosaic", "2_map", 0.5),
    "posterior-guider": ("1_damaged", "3_sample", 0.0),
    "uncertainty": ("2_sample-1", "4_std_map", 0.5),  # a sample, and where it is invented
}
# Before alone: no published checkpoint has been at hand, and what the embedded one makes is not what they promise.
BEFORE = {
    "sd15-deblurring": ("1_damaged", 0.5),
    "sd15-inpainting": ("1_damaged", 0.5),
    "sd15-old-photo": ("1_damaged", 0.5),
    "sd15-super-resolution": ("1_damaged", 0.5),
    "sd15-chain": ("1_photo", 0.5),
    "sdxl-super-resolution": ("1_damaged", 0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a workflow (default: all)")
    names = parser.parse_args().names or [*WORKFLOWS, *BEFORE]
    if strange := set(names) - {*WORKFLOWS, *BEFORE}:
        parser.error(f"there is no workflow {', '.join(sorted(strange))}")
    for name in names:
        folder = ROOT / "output" / name
        if name in BEFORE:
            before, place = BEFORE[name]
            thumbnail = square(folder / f"{before}.png", place)
        else:
            before, after, place = WORKFLOWS[name]
            thumbnail = square(folder / f"{after}.png", place)
            thumbnail.paste(square(folder / f"{before}.png", place).crop((0, 0, SIZE // 2, SIZE)))
            thumbnail.paste("white", (SIZE // 2 - 1, 0, SIZE // 2 + 1, SIZE))
        thumbnail.save(ROOT / "workflows" / f"{name}.jpg", quality=85)


def square(file: Path, place: float) -> Image.Image:
    """The largest square of a picture, enlarged; a small picture's pixels stay visible."""
    image = Image.open(file).convert("RGB")
    resampling = Image.Resampling.NEAREST if min(image.size) < SIZE / 4 else Image.Resampling.LANCZOS
    return ImageOps.fit(image, (SIZE, SIZE), resampling, centering=(place, 0.5))


if __name__ == "__main__":
    main()
