"""The inpainting of MAP-RPS as its authors' code has it, to compare with their figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..linalg.seeded import uniform
from .degradation import Degradation
from .inpainting import Mask
from .space import Space


@dataclass(frozen=True)
class ReleasedInpainting(Degradation):
    """A sixth of the entries of an RGB image is missing, all in its upper third, where every second entry is.

    The code of Zhang et al. (arXiv:2605.28711) draws half as many places as there are pixels, as if for a mask of 50 %,
    but uses them as numbers of entries, counted pixel by pixel with the channels of a pixel in a row. For what was
    meant see RandomInpainting.
    """

    seed: int = 0

    def _build(self, space: Space) -> Mask:
        pixels = space.height * space.width
        known = np.ones(pixels * space.channels, bool)
        known[uniform(self.seed, pixels).argsort(kind="stable")[: pixels // 2]] = False
        pixel_by_pixel = torch.from_numpy(known.reshape(1, space.height, space.width, space.channels))
        return Mask(space, pixel_by_pixel.movedim(-1, 1).contiguous())

    def describe(self) -> str:
        return f"inpainting, half of the entries of the upper third missing at random, seed {self.seed}"
