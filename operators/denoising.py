"""Denoising: A = I."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import LinearOperator
from .degradation import Degradation


@dataclass(frozen=True)
class Denoising(Degradation):
    """The image itself was measured, with noise."""

    def _build(
        self, channels: int, height: int, width: int, device: torch.device | str, dtype: torch.dtype
    ) -> LinearOperator:
        return Identity((channels, height, width), (channels, height, width), device, dtype)

    def describe(self) -> str:
        return "denoising"


class Identity(LinearOperator):
    norm = 1.0

    def _forward(self, x: Tensor) -> Tensor:
        return x

    def _adjoint(self, y: Tensor) -> Tensor:
        return y

    def _pinv(self, y: Tensor) -> Tensor:
        return y

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return y / (a + b)
