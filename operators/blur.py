"""Deblurring: the image was convolved with a kernel and kept its size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .degradation import Degradation
from .separable import BOUNDARIES, Separable, sampling_matrix


@dataclass(frozen=True)
class GaussianBlur(Degradation):
    """Convolution with a Gaussian of std `sigma` px, sampled on size x size px and rescaled to sum to one.

    The default is the blur of DPS (Chung et al., ICLR 2023). `boundary` says how the image goes on beyond its border:
    reflect (mirrored, edge pixel repeated), circular, zero or replicate. The kernel may be larger than the image.
    """

    size: int = 61
    sigma: float = 3.0
    boundary: str = "reflect"

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 != 1:
            raise ValueError(f"The blur size is {self.size}: use an odd number of pixels, such as 61.")
        if not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise ValueError(f"The blur sigma is {self.sigma}: use a number of pixels above 0.")
        if self.boundary not in BOUNDARIES:
            raise ValueError(f"There is no boundary {self.boundary!r}: use one of {', '.join(BOUNDARIES)}.")

    def _build(
        self, channels: int, height: int, width: int, device: torch.device | str, dtype: torch.dtype
    ) -> Separable:
        offsets = torch.arange(self.size) - self.size // 2
        taps = torch.exp(-0.5 * (offsets.double() / self.sigma) ** 2)
        taps = taps / taps.sum()
        vertical, horizontal = (
            sampling_matrix(torch.arange(n)[:, None] + offsets, taps.expand(n, -1), n, self.boundary)
            for n in (height, width)
        )
        return SeparableBlur(vertical, horizontal, channels, device, dtype)

    def describe(self) -> str:
        return f"Gaussian blur, sigma {self.sigma:g} px, {self.size}x{self.size} px, {self.boundary} boundary"


class SeparableBlur(Separable):
    def _initial_guess(self, y: Tensor) -> Tensor:
        return y  # the pseudo-inverse would blow up the noise
