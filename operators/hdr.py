"""High dynamic range: the image was exposed with too much contrast, and its ends were clipped."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .base import Operator
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class HDR(Degradation):
    """Contrast raised `scale` times about mid-grey, then clipped to 0..1: y = clip(scale (x - 1/2) + 1/2, 0, 1).

    In model units, u = 2 x - 1, that is clip(scale u, -1, 1), as DAPS (Zhang et al., CVPR 2025) and MAP-RPS define the
    task. With their scale of 2, what is darker than 1/4 or brighter than 3/4 is lost.
    """

    scale: float = 2.0

    def __post_init__(self) -> None:
        if not (self.scale >= 1 and math.isfinite(self.scale)):
            raise ValueError(f"The HDR scale is {self.scale}: use 1 or more; the field's is 2.")

    def _build(self, space: Space) -> Clip:
        return Clip(space, self.scale)

    def describe(self) -> str:
        return f"high dynamic range, contrast x{self.scale:g} and clipped"


class Clip(Operator):
    """The gradient is the true one: zero where the image is clipped."""

    def __init__(self, space: Space, scale: float):
        super().__init__(space, space.shape)
        self.scale = scale

    def _forward(self, x: Tensor) -> Tensor:
        return (self.scale * (x - 0.5) + 0.5).clamp(0, 1)

    def _initial_guess(self, y: Tensor) -> Tensor:
        """Exact where nothing was clipped; elsewhere the level at which clipping begins."""
        return (y - 0.5) / self.scale + 0.5
