"""The inpainting of MAP-RPS as its authors' code has it, to compare with their figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .degradation import Degradation
from .inpainting import Mask
from .seeded import uniform


@dataclass(frozen=True)
class ReleasedInpainting(Degradation):
    """A sixth of the entries of an RGB image is missing, all in its upper third, where every second entry is.

    The code of Zhang et al. (arXiv:2605.28711) draws half as many places as there are pixels, as if for a mask of 50 %,
    but uses them as numbers of entries, counted pixel by pixel with the channels of a pixel in a row. For what was
    meant see RandomInpainting.
    """

    seed: int = 0

    def _build(self, channels: int, height: int, width: int, device: torch.device | str, dtype: torch.dtype) -> Mask:
        pixels = height * width
        known = np.ones(pixels * channels, bool)
        known[uniform(self.seed, pixels).argsort(kind="stable")[: pixels // 2]] = False
        known = torch.from_numpy(known.reshape(1, height, width, channels)).movedim(-1, 1)
        return Mask(known.contiguous(), channels, device, dtype)

    def describe(self) -> str:
        return f"inpainting, half of the entries of the upper third missing at random, seed {self.seed}"
