"""Covariances that are stationary: diagonal in the cosine basis, where an image goes on mirrored beyond its border."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .cosine_basis import CosineBasis


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
        return self.power.mean(-1, keepdim=True).mean((1, 2), keepdim=True)  # as in `dot`, row by row
