"""Quantization: every value was rounded to one of a few levels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import Operator
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class Quantization(Degradation):
    """Clipped to 0..1 and rounded to the nearest of `levels`, 2 to 65536, evenly spaced from 0 to 1.

    n bits are 2^n levels: the default is 3 bits.
    """

    levels: int = 8

    def __post_init__(self) -> None:
        if self.levels not in range(2, 65537):
            raise ValueError(f"The number of levels is {self.levels}: use a whole number from 2 to 65536.")

    def _build(self, space: Space) -> Quantizer:
        return Quantizer(space, self.levels)

    def describe(self) -> str:
        return f"quantization to {self.levels} levels"


class Quantizer(Operator):
    """Its derivative is zero nearly everywhere and of no use. In its place the gradient is straight-through (Bengio,
    Léonard and Courville, 2013): that of the identity, which is the derivative averaged over one level.
    """

    def __init__(self, space: Space, levels: int):
        super().__init__(space, space.shape)
        self.steps = levels - 1

    def _forward(self, x: Tensor) -> Tensor:
        x = x * self.steps
        return straight_through(x.round().clamp(0, self.steps), x) / self.steps

    def _initial_guess(self, y: Tensor) -> Tensor:
        """The measurement itself, off by half a level at most."""
        return y


def straight_through(value: Tensor, x: Tensor) -> Tensor:
    """`value`, with the gradient of x."""
    return x + (value - x).detach()
