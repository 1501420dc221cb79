"""Denoising: A = I."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .base import LinearOperator
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class Denoising(Degradation):
    """The image itself was measured, with noise."""

    def _build(self, space: Space) -> LinearOperator:
        return Identity(space, space.shape)

    def describe(self) -> str:
        return "denoising"


class Identity(LinearOperator):
    norm = isotropy = 1.0
    orthonormal_rows = True

    @cached_property
    def cosine_gain(self) -> Tensor:
        with torch.inference_mode(False):
            return torch.ones(self.image_shape[1:], dtype=self.dtype, device=self.device)

    def _forward(self, x: Tensor) -> Tensor:
        return x

    def _adjoint(self, y: Tensor) -> Tensor:
        return y

    def _pinv(self, y: Tensor) -> Tensor:
        return y

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return y / (a + b)
