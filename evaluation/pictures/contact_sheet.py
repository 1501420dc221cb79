"""Images side by side, with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from .canvas import FAINT_INK, FRAME, INK, Canvas, text_width, to_rgb
from .enlarge import enlarge, least_factor


def contact_sheet(images: Sequence[Tensor], labels: Sequence[str], columns: int | None = None) -> Tensor:
    """IMAGE [1, height, width, 3].

    images: each [H, W, C], of any sizes; clipped to 0..1. Their pixels appear unchanged; an image smaller than the
    largest appears enlarged by the largest whole factor that fits, and where all are small, all are.
    labels: the first line names the image; further lines, such as "PSNR 28.3 dB", are set smaller; in ASCII, since the
        font has little more.
    columns: images in a row; by default up to four, more for large sets.
    """
    images = [to_rgb(image) for image in images]
    height, width = (max(sides) for sides in zip(*(image.shape[:2] for image in images), strict=True))
    factor = least_factor(max(height, width))
    height, width = factor * height, factor * width
    images = [enlarge(image, min(height // image.shape[0], width // image.shape[1])) for image in images]

    size = min(48, max(17, width // 20))
    styles = (size, INK), (round(0.82 * size), FAINT_INK)
    captions = [[(line, *styles[row > 0]) for row, line in enumerate(label.splitlines())] for label in labels]
    width = max([width] + [text_width(line, size) for caption in captions for line, size, _ in caption])
    leading = round(1.35 * size)
    gap = size + 4
    step_x, step_y = width + gap, height + gap + leading * max(len(caption) for caption in captions)

    columns = columns or default_columns(len(images))
    rows = math.ceil(len(images) / columns)
    canvas = Canvas(columns * step_x + gap, rows * step_y + gap, supersampling=1)
    boxes = []
    for k, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(k, columns)
        left, bottom = gap + column * step_x, gap + row * step_y + height
        top, right = bottom - image.shape[0], left + image.shape[1]
        boxes.append((top, bottom, left, right))
        canvas.rectangle(left - 1, top - 1, right + 1, bottom + 1, FRAME)
        for line, (text, text_size, color) in enumerate(caption, start=1):
            canvas.text((left, bottom + line * leading), text, text_size, color)

    sheet = canvas.image()
    for image, (top, bottom, left, right) in zip(images, boxes, strict=True):
        sheet[0, top:bottom, left:right] = image
    return sheet


def default_columns(count: int) -> int:
    """Rows of up to four, or of as many as there are rows, as even as can be."""
    longest = max(4, math.ceil(math.sqrt(count)))
    return math.ceil(count / math.ceil(count / longest))
