"""Covariances that are stationary: diagonal in the cosine basis, where an image goes on mirrored beyond its border."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..operators import inner_product
from ..operators.cosines import cosines
from ..operators.separable import both_sides

KNOTS_PER_OCTAVE = 2


class CosineBasis:
    """The orthonormal cosine transform (DCT-II) of planes of height x width."""

    def __init__(self, height: int, width: int, dtype: torch.dtype, device: torch.device):
        self.vertical, self.horizontal = (cosines(n).to(dtype).to(device) for n in (height, width))
        rows = torch.arange(height, device=device)[:, None] / height
        columns = torch.arange(width, device=device) / width
        self.radius = torch.hypot(rows, columns) * max(height, width)
        """Frequency of every mode, [H, W]; 1 is half a period over the longer side."""

    @classmethod
    def of(cls, x: Tensor) -> CosineBasis:
        """The basis of x's planes, kept for the next call."""
        return _basis(*x.shape[-2:], x.dtype, x.device)

    def transform(self, x: Tensor) -> Tensor:
        return both_sides(self.vertical, x, self.horizontal)

    def inverse(self, modes: Tensor) -> Tensor:
        return both_sides(self.vertical.T, modes, self.horizontal.T)


@lru_cache(maxsize=2)
def _basis(height: int, width: int, dtype: torch.dtype, device: torch.device) -> CosineBasis:
    with torch.inference_mode(False):  # so that it serves inside that mode and outside
        return CosineBasis(height, width, dtype, device)


@dataclass(frozen=True)
class Stationary:
    """power: variance of every mode of the basis, [B, 1, H, W], the same for all channels."""

    basis: CosineBasis
    power: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The covariance times x, [B, C, H, W]."""
        return self.basis.inverse(self.power * self.basis.transform(x))

    def root(self, x: Tensor) -> Tensor:
        """The symmetric square root of the covariance times x, [B, C, H, W]."""
        return self.basis.inverse(self.power.sqrt() * self.basis.transform(x))

    @property
    def variance(self) -> Tensor:
        """Variance of a pixel, on average over the image, [B, 1, 1, 1]."""
        return self.power.mean(-1, keepdim=True).mean((1, 2), keepdim=True)  # as in `inner_product`, row by row


def denoising_covariance(x: Tensor, denoised: Tensor, sigma: float) -> Stationary:
    """The stationary part of Cov[x0 | x], read off one call of a denoiser: denoised = E[x0 | x], x = x0 + sigma * eps.

    With c(f) the power of x0 at frequency f, <denoised, x> = <x0, x> = c and <x, x> = c + sigma^2 on average, so that

        sigma^2 <denoised, x> / <x, x> = sigma^2 c / (c + sigma^2),

    the error of the best linear denoiser. The products are summed over channels and over rings of frequencies half an
    octave wide, without the mean of each channel, which holds that of the prior too.
    """
    basis = CosineBasis.of(x)
    modes = basis.transform(x)
    shared = (modes * basis.transform(denoised)).sum(1)
    total = modes.square().sum(1)
    position = KNOTS_PER_OCTAVE * basis.radius.clamp_min(1).log2()
    last = math.ceil(float(position.max()))
    gains = []
    for knot in range(last + 1):
        weight = (1 - (position - knot).abs()).clamp_min(0) * (basis.radius > 0)
        parts = inner_product(shared, weight), inner_product(total, weight)
        gains.append(parts[0] / parts[1].clamp_min(torch.finfo(x.dtype).tiny))
    gain = torch.stack(gains, 1).clamp(0, 1)
    lower = position.floor().long().clamp_max(last - 1)
    power = torch.lerp(gain[:, lower], gain[:, lower + 1], position - lower)
    return Stationary(basis, sigma**2 * power[:, None])
