"""Inpainting of pixels lost at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..linalg.seeded import uniform
from .degradation import Degradation
from .inpainting import Mask
from .space import Space


@dataclass(frozen=True)
class RandomInpainting(Degradation):
    """A `fraction` of the pixels, exactly but for rounding, is missing at random places.

    One mask serves all channels, as the field has it; with `per_channel` every channel has its own. At least one pixel
    is left. The mask depends on the seed and the image's size alone.
    """

    fraction: float = 0.5
    seed: int = 0
    per_channel: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise ValueError(f"The missing fraction is {self.fraction}: use 0 or more, and less than 1.")

    def _build(self, space: Space) -> Mask:
        pixels = space.height * space.width
        missing = min(round(self.fraction * pixels), pixels - 1)
        order = uniform(self.seed, space.channels if self.per_channel else 1, pixels).argsort(1, kind="stable")
        known = np.ones_like(order, bool)
        np.put_along_axis(known, order[:, :missing], False, 1)
        return Mask(space, torch.from_numpy(known).view(1, -1, space.height, space.width))

    def describe(self) -> str:
        channels = " of every channel" if self.per_channel else ""
        return f"inpainting, {self.fraction:.1%} of the pixels{channels} missing at random, seed {self.seed}"
