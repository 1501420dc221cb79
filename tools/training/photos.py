"""Photographs as training data: each in octaves, all of them in the device's memory, where random crops are taken."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

STEP = 0.7
SHORTEST_SIDE = 240
SUFFIXES = (".png", ".jpg", ".jpeg")


def octaves(image: Image.Image) -> Iterator[np.ndarray]:
    """The image as it is and in steps of 0.7 below it, down to a shorter side of 240, as uint8 [height, width, 3]."""
    scale = 1.0
    while True:
        size = round(image.width * scale), round(image.height * scale)
        yield np.asarray(image.resize(size, Image.Resampling.LANCZOS))
        scale *= STEP
        if min(image.size) * scale < SHORTEST_SIDE:
            return


class Photos:
    """Random crops, flipped and turned, of every octave of the pictures in a folder.

    folder: PNG and JPEG files, such as collect_photos.py writes. An octave smaller than a crop is left out.

    Raises SystemExit where no picture is large enough.
    """

    def __init__(self, folder: Path, crop: int, device: str):
        files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
        with ThreadPoolExecutor() as pool:
            images = [image for found in pool.map(_read, files) for image in found if min(image.shape[:2]) >= crop]
        if not images:
            raise SystemExit(
                f"{folder} has no PNG or JPEG files of at least {crop}x{crop} pixels: name another folder."
            )
        sizes = torch.tensor([image.shape[:2] for image in images], device=device)
        areas = sizes.prod(1)
        self.crop = crop
        self.heights, self.widths = sizes.unbind(1)
        self.pixels = torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images])).to(device)
        self.starts = areas.cumsum(0) - areas
        self.weights = areas.double().sqrt().float()

    def batch(self, count: int) -> Tensor:
        """[count, 3, crop, crop] in [-1, 1], drawn by torch's own generator of the device."""
        size, device = self.crop, self.pixels.device
        chosen = torch.multinomial(self.weights, count, replacement=True)
        heights, widths, starts = (of_all[chosen].view(-1, 1, 1) for of_all in (self.heights, self.widths, self.starts))
        top, left, turn, flip_y, flip_x = torch.rand(5, count, 1, 1, device=device)
        line = torch.arange(size, device=device)
        y, x = torch.broadcast_tensors(line[None, :, None], line[None, None, :])
        y, x = torch.where(turn < 0.5, x, y), torch.where(turn < 0.5, y, x)
        y, x = torch.where(flip_y < 0.5, size - 1 - y, y), torch.where(flip_x < 0.5, size - 1 - x, x)
        y, x = y + (top * (heights - size + 1)).long(), x + (left * (widths - size + 1)).long()
        return self.pixels[starts + y * widths + x].movedim(-1, 1).float() / 127.5 - 1


def _read(file: Path) -> list[np.ndarray]:
    with Image.open(file) as opened:
        return list(octaves(opened.convert("RGB")))
