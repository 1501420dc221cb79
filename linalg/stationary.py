"""Covariances that are stationary: diagonal in the cosine basis, where an image goes on mirrored beyond its border."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .cosine_basis import CosineBasis


@dataclass(frozen=True)
class Stationary:
    """power: variance of every mode of the basis, [B, 1, H, W], the same for all channels, or [B, C, H, W]. mixing:
    orthogonal, [C, C]; its rows are the mixtures of channels whose power it is. None: the channels themselves."""

    basis: CosineBasis
    power: Tensor
    mixing: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """The covariance times x, [B, C, H, W]."""
        return self.filter(x, self.power)

    def root(self, x: Tensor) -> Tensor:
        """The symmetric square root of the covariance times x, [B, C, H, W]."""
        return self.filter(x, self.power.sqrt())

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        """x, [B, C, H, W], with each mode of each mixture times its gain, shaped like the power."""
        return self.image(gain * self.modes(x))

    def weigh(self, modes: Tensor, gain: Tensor) -> Tensor:
        """The same between the modes of x's channels."""
        if self.mixing is None:
            return gain * modes
        return _mixed(self.mixing.T, gain * _mixed(self.mixing, modes))

    def modes(self, x: Tensor) -> Tensor:
        """Those whose power it is, of x, [B, C, H, W]."""
        modes = self.basis.transform(x)
        return modes if self.mixing is None else _mixed(self.mixing, modes)

    def image(self, modes: Tensor) -> Tensor:
        """That of these modes: the inverse, and the transpose, of `modes`."""
        return self.basis.inverse(modes if self.mixing is None else _mixed(self.mixing.T, modes))

    @property
    def variance(self) -> Tensor:
        """Variance of a pixel, on average over the image, [B, 1, 1, 1]."""
        return self.power.mean(-1, keepdim=True).mean((1, 2), keepdim=True)  # as in `dot`, row by row


def _mixed(matrix: Tensor, channels: Tensor) -> Tensor:
    """[C, C] times [B, C, H, W], one product per image: its rounding is the same for any number."""
    product = torch.bmm(matrix.expand(len(channels), -1, -1), channels.flatten(2))
    return product.unflatten(2, channels.shape[2:])
