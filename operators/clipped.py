"""A measurement that was saved as a picture: what lay beyond 0 and 1 was cut off."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .base import Operator
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class Clipped(Degradation):
    """What `degradation` makes of an image, and noise, then clipped to 0..1.

    The operator is that of `degradation`, and linear where it is: the ends are for whoever compares a measurement with
    it. An entry of 0 says that it was 0 or less, one of 1 that it was 1 or more.
    """

    degradation: Degradation

    def __post_init__(self) -> None:
        if isinstance(self.degradation, Clipped):
            raise ValueError("This degradation is clipped already: leave one of the two out.")

    def _build(self, space: Space) -> Operator:
        operator = self.degradation.build(*space.shape, space.device, space.dtype)
        operator.clipped = True
        return operator

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return self.degradation.image_size(height, width)

    def view(self, measurement: torch.Tensor) -> torch.Tensor:
        return self.degradation.view(measurement)

    def describe(self) -> str:
        return f"{self.degradation.describe()}, clipped to 0..1 with its noise"


def refuse_clipped(*parts: Degradation) -> None:
    """Raises ValueError for parts that are clipped: what is done to them afterwards would hide the ends."""
    if any(isinstance(part, Clipped) for part in parts):
        raise ValueError("Clipping comes last: put 'Clipped (MAP-RPS)' behind the node that joins degradations.")
