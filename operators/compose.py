"""One degradation after another: A(x) = second(first(x))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from .base import LinearOperator, Operator
from .clipped import refuse_clipped
from .degradation import Degradation
from .denoising import Identity
from .inpainting import Mask
from .separable import Separable
from .space import Space


@dataclass(frozen=True)
class Compose(Degradation):
    """`first`, then `second`; noise comes after both."""

    first: Degradation
    second: Degradation

    def __post_init__(self) -> None:
        refuse_clipped(self.first, self.second)

    def _build(self, space: Space) -> Operator:
        first = self.first.build(*space.shape, space.device, space.dtype)
        second = self.second.build(*first.measurement_shape, space.device, space.dtype)
        return compose(first, second)

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return self.first.image_size(*self.second.image_size(height, width))

    def view(self, measurement: Tensor) -> Tensor:
        return self.second.view(measurement)

    def describe(self) -> str:
        return f"{self.first.describe()}, then {self.second.describe()}"


def compose(first: Operator, second: Operator) -> Operator:
    """second after first, in closed form where the pair has one."""
    if isinstance(second, Identity):
        return first
    if isinstance(first, Identity):
        return second
    if isinstance(first, Separable) and isinstance(second, Separable):
        return SeparablePair(first, second)
    if isinstance(first, Mask) and isinstance(second, Mask):
        known = first.known & second.known
        if not known.any(-1).any(-1).all():
            raise ValueError("Together the two masks hide every pixel: leave some of the image unmasked.")
        return Mask(first.space, known)
    if isinstance(first, LinearOperator) and isinstance(second, LinearOperator):
        return LinearPair(first, second)
    return Pair(first, second)


Part = TypeVar("Part", bound=Operator)


class Pair(Operator, Generic[Part]):
    def __init__(self, first: Part, second: Part):
        super().__init__(first.space, second.measurement_shape)
        self.first, self.second = first, second

    @property
    def measured(self) -> int:
        return self.second.measured

    def _forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))

    def _keep(self, y: Tensor) -> Tensor:
        return self.second.keep(y)

    def _initial_guess(self, y: Tensor) -> Tensor:
        return self.first.initial_guess(self.second.initial_guess(y))


class LinearPair(Pair[LinearOperator], LinearOperator):
    """Adjoint in closed form, the inverses by iterations."""

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.first.adjoint(self.second.adjoint(y))


class SeparablePair(Separable):
    """Two separable operators are one, with its own exact inverses; only a good start is found step by step."""

    def __init__(self, first: Separable, second: Separable):
        vertical, horizontal = second.vertical @ first.vertical, second.horizontal @ first.horizontal
        super().__init__(first.space, vertical, horizontal)
        self.first, self.second = first, second

    def _initial_guess(self, y: Tensor) -> Tensor:
        return self.first.initial_guess(self.second.initial_guess(y))
