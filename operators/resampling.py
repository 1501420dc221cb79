"""Super-resolution: the image was made smaller by a whole factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .boundary import sampling_matrix
from .degradation import Degradation
from .separable import Separable
from .space import Space

GAUSSIAN_SIGMA = 0.4  # of the factor: 1.6 px at factor 4


def _box(t: Tensor) -> Tensor:
    return (t.abs() < 0.5).to(t.dtype)


def _bicubic(t: Tensor) -> Tensor:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2."""
    t = t.abs()
    inner = (1.5 * t - 2.5) * t**2 + 1
    outer = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t <= 1, inner, torch.where(t < 2, outer, 0.0))


def _lanczos(t: Tensor) -> Tensor:
    """Lanczos with three lobes."""
    return torch.where(t.abs() < 3, torch.sinc(t) * torch.sinc(t / 3), 0.0)


def _gaussian(t: Tensor) -> Tensor:
    return torch.exp(-0.5 * (t / GAUSSIAN_SIGMA) ** 2)


# Kernel and the radius it is cut at, in measurement pixels.
KERNELS = {
    "bicubic": (_bicubic, 2.0),
    "box": (_box, 0.5),
    "gaussian": (_gaussian, 4 * GAUSSIAN_SIGMA),
    "lanczos": (_lanczos, 3.0),
    "bicubic (PIL)": (_bicubic, 2.0),
}


@dataclass(frozen=True)
class SuperResolution(Degradation):
    """Antialiased reduction by `factor`, 2 to 16, to ceil(size / factor) pixels.

    The kernel is stretched by the factor and centred as MATLAB's imresize does: measurement pixel i lies at
    factor * i + (factor - 1) / 2, so nothing is shifted; beyond the border the image is mirrored, and the weights of a
    pixel add up to one. Pillow and torch's antialiased interpolation weigh alike inside and differ only near the
    border, where they cut the kernel off and rescale the rest, and at sizes that the factor does not divide, where they
    stretch the kernel by size / ceil(size / factor).

    bicubic: Keys with a = -1/2, MATLAB's and the field's usual choice. bicubic (PIL): the same as Pillow has it. box:
    the mean of factor x factor pixels. lanczos: three lobes. gaussian: a Gaussian of std 0.4 * factor px, cut at four
    stds; at factor 4 that is the std of 1.6 px that video super-resolution calls BD (Jo et al., CVPR 2018), without the
    half-pixel shift of picking every fourth pixel from the first.
    """

    factor: int = 4
    kernel: str = "bicubic"

    def __post_init__(self) -> None:
        if self.factor not in range(2, 17):
            raise ValueError(f"The super-resolution factor is {self.factor}: use a whole number from 2 to 16.")
        if self.kernel not in KERNELS:
            raise ValueError(f"There is no resampling kernel {self.kernel!r}: use one of {', '.join(KERNELS)}.")

    def footprint(self) -> Tensor:
        """How a measurement pixel, far from the border, weighs the image's: square, float64. Sums to one."""
        length = 2 * math.ceil(KERNELS[self.kernel][1]) + 3  # so that the one in the middle is far
        row = resampling_matrix(length * self.factor, self.factor, self.kernel)[length // 2]
        inside = row.nonzero()[:, 0]
        taps = row[inside[0] : inside[-1] + 1]
        return torch.outer(taps, taps)

    def _build(self, space: Space) -> Separable:
        vertical, horizontal = (resampling_matrix(size, self.factor, self.kernel) for size in space.shape[1:])
        return Separable(space, vertical, horizontal)

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return height * self.factor, width * self.factor

    def describe(self) -> str:
        return f"super-resolution x{self.factor} ({self.kernel})"


def resampling_matrix(size: int, factor: int, kernel: str) -> Tensor:
    """Matrix [ceil(size / factor), size], float64, that makes a signal `factor` times shorter."""
    weigh, radius = KERNELS[kernel]
    length = math.ceil(size / factor)
    scale, boundary = (size / length, "zero") if kernel == "bicubic (PIL)" else (factor, "reflect")
    centers = torch.arange(length, dtype=torch.float64)[:, None] * scale + (scale - 1) / 2
    reach = math.ceil(radius * scale)
    positions = centers.floor().long() + torch.arange(-reach, reach + 2)
    offsets = (positions - centers) / scale
    weights = torch.where(offsets.abs() <= radius, weigh(offsets), 0.0)
    matrix = sampling_matrix(positions, weights, size, boundary)
    return matrix / matrix.sum(1, keepdim=True)
