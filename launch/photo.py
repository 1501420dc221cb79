"""Makes a person's photo ready for a workflow. Runs in ComfyUI's Python, since it needs Pillow:

    python photo.py PHOTO OUTPUT.png MASK.png MULTIPLE

Turns the photo upright, drops its alpha channel, crops it around its center to a multiple of MULTIPLE pixels and prints
"width height cropped-width cropped-height". MASK.png becomes a mask of that size (white = missing): scribbles over
about a tenth of the picture.
"""

import random
import sys

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError


def crop_box(width: int, height: int, multiple: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest centered box whose sides are multiples of `multiple`."""
    w, h = width - width % multiple, height - height % multiple
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def scribbles(width: int, height: int) -> Image.Image:
    """The same strokes for the same size: black, with white lines over about a tenth of the area."""
    generator = random.Random(0)
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    stroke = max(2, min(width, height) // 48)
    while sum(mask.histogram()[128:]) < 0.1 * width * height:
        points = [(generator.uniform(0, width), generator.uniform(0, height)) for _ in range(3)]
        draw.line(points, fill=255, width=stroke, joint="curve")
    return mask


def main(photo: str, output: str, mask: str, multiple: int) -> None:
    try:
        image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    except UnidentifiedImageError:
        sys.exit(f"{photo} is not a picture that can be read (PNG, JPEG, WebP, TIFF, BMP, ...).")
    except OSError as error:
        sys.exit(f"{photo} cannot be read: {error}")
    box = crop_box(*image.size, multiple)
    if box[2] - box[0] < multiple or box[3] - box[1] < multiple:
        sys.exit(f"{photo} is {image.width} x {image.height}: both sides must be at least {multiple} pixels.")
    cropped = image.crop(box)
    cropped.save(output)
    scribbles(*cropped.size).save(mask)
    print(*image.size, *cropped.size)


if __name__ == "__main__":
    _, photo, output, mask, multiple = sys.argv
    main(photo, output, mask, int(multiple))
