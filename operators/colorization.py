"""Colorization: only the brightness was measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import LinearOperator
from .degradation import Degradation
from .space import Space

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Colorization(Degradation):
    """Grey, one channel, in place of red, green and blue.

    weights: mean, a third of each, as in DDRM (Kawar et al., NeurIPS 2022) and since; or luma, that of ITU-R BT.601,
    0.299 R + 0.587 G + 0.114 B, which is how Pillow, OpenCV and JPEG make grey.
    """

    weights: str = "mean"

    def __post_init__(self) -> None:
        if self.weights not in ("mean", "luma"):
            raise ValueError(f"There are no grey weights {self.weights!r}: use mean or luma.")

    def _build(self, space: Space) -> Grey:
        if space.channels != 3:
            raise ValueError(f"The image has {space.channels} channels, but colorization needs 3: give it as RGB.")
        weights = torch.tensor(LUMA if self.weights == "luma" else (1 / 3,) * 3, dtype=space.dtype)
        return Grey(space, weights[:, None, None])

    def describe(self) -> str:
        return f"colorization ({self.weights})"


class Grey(LinearOperator):
    """y = w^T x at every pixel, with weights w that sum to one: A A^T = |w|^2 I.

    weights: [C, 1, 1], or [C, H, W] with the same |w| everywhere.
    """

    def __init__(self, space: Space, weights: Tensor):
        super().__init__(space, (1, space.height, space.width))
        self.weights = weights.to(space.device)[None]
        self._square = float(weights[:, 0, 0].double().square().sum())
        self.norm = self._square**0.5

    def _forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum(1, keepdim=True)

    def _adjoint(self, y: Tensor) -> Tensor:
        return y * self.weights

    def _pinv(self, y: Tensor) -> Tensor:
        return self._adjoint(y) / self._square

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return y / (a + b * self._square)

    def _initial_guess(self, y: Tensor) -> Tensor:
        return y.expand(-1, *self.image_shape)  # grey; with luma weights the pseudo-inverse is greenish
