"""Deblurring: the image was convolved with a kernel and kept its size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .boundary import check_boundary, sampling_matrix
from .degradation import Degradation
from .separable import Separable
from .space import Space


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
        check_boundary(self.boundary)

    def kernel(self) -> Tensor:
        """[size, size], float64. Sums to one."""
        taps = gaussian_taps(self.size, self.sigma)
        return torch.outer(taps, taps)

    def _build(self, space: Space) -> Separable:
        taps = gaussian_taps(self.size, self.sigma)
        return separable_blur(space, taps, taps, self.boundary)

    def describe(self) -> str:
        return f"Gaussian blur, sigma {self.sigma:g} px, {self.size}x{self.size} px, {self.boundary} boundary"


class SeparableBlur(Separable):
    def _initial_guess(self, y: Tensor) -> Tensor:
        return y  # the pseudo-inverse would blow up the noise


def separable_blur(space: Space, vertical: Tensor, horizontal: Tensor, boundary: str) -> SeparableBlur:
    """Convolution with the outer product of two symmetric rows of taps, float64, an odd number of them."""
    sides = (vertical, space.height), (horizontal, space.width)
    return SeparableBlur(space, *(blur_matrix(taps, size, boundary) for taps, size in sides))


def blur_matrix(taps: Tensor, size: int, boundary: str) -> Tensor:
    """[size, size], float64: convolution of a signal with an odd number of symmetric taps."""
    positions = torch.arange(size)[:, None] + torch.arange(len(taps)) - len(taps) // 2
    return sampling_matrix(positions, taps.expand(size, -1), size, boundary)


def gaussian_taps(size: int, sigma: float) -> Tensor:
    offsets = torch.arange(size) - size // 2
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    return taps / taps.sum()
