"""Two measurements of one image: A(x) = (first(x), second(x))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..linalg.linear_map import Map
from .base import LinearOperator, Operator
from .clipped import refuse_clipped
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class Stack(Degradation):
    """What `first` and `second` each make of the image, side by side, with noise of the same std on both.

    The measurement is one picture of two panes, `first` on the left. A pane is as high, as wide and has as many
    channels as the larger of the two measurements; a smaller one lies in its upper left corner, amid entries that carry
    no measurement.
    """

    first: Degradation
    second: Degradation

    def __post_init__(self) -> None:
        refuse_clipped(self.first, self.second)

    def _build(self, space: Space) -> Operator:
        first, second = (part.build(*space.shape, space.device, space.dtype) for part in (self.first, self.second))
        if isinstance(first, LinearOperator) and isinstance(second, LinearOperator):
            return LinearPanes(first, second)
        return Panes(first, second)

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        # The measurement that fills the pane says how large the image is; the other, taken to fill it, would say more.
        sizes = (part.image_size(height, width // 2) for part in (self.first, self.second))
        return tuple(min(sides) for sides in zip(*sizes, strict=True))

    def view(self, measurement: Tensor) -> Tensor:
        panes = zip((self.first, self.second), measurement.chunk(2, 2), strict=True)
        return torch.cat([part.view(pane) for part, pane in panes], 2)

    def describe(self) -> str:
        return f"{self.first.describe()}, and beside it {self.second.describe()}"


Part = TypeVar("Part", bound=Operator)


class Panes(Operator, Generic[Part]):
    def __init__(self, first: Part, second: Part):
        channels, height, width = map(max, first.measurement_shape, second.measurement_shape)
        super().__init__(first.space, (channels, height, 2 * width))
        self.parts = first, second

    @property
    def measured(self) -> int:
        return sum(part.measured for part in self.parts)

    def split(self, y: Tensor) -> list[Tensor]:
        """The two measurements in y."""
        corners = [part.measurement_shape for part in self.parts]
        return [pane[:, :c, :h, :w] for pane, (c, h, w) in zip(y.chunk(2, 3), corners, strict=True)]

    def join(self, measurements: list[Tensor]) -> Tensor:
        channels, height, width = self.measurement_shape
        missing = ((channels - c, height - h, width // 2 - w) for _, c, h, w in (m.shape for m in measurements))
        return torch.cat([pad(m, (0, w, 0, h, 0, c)) for m, (c, h, w) in zip(measurements, missing, strict=True)], 3)

    def _forward(self, x: Tensor) -> Tensor:
        return self.join([part(x) for part in self.parts])

    def _keep(self, y: Tensor) -> Tensor:
        return self.join([part.keep(m) for part, m in zip(self.parts, self.split(y), strict=True)])

    def _initial_guess(self, y: Tensor) -> Tensor:
        """That of the part which measured more, unless its guess may be of another image."""
        choice = max((0, 1), key=lambda i: (not self.parts[i].ambiguous, self.parts[i].measured))
        return self.parts[choice].initial_guess(self.split(y)[choice])


class LinearPanes(Panes[LinearOperator], LinearOperator):
    """Adjoint in closed form, the inverses by iterations."""

    def _adjoint(self, y: Tensor) -> Tensor:
        first, second = (part.adjoint(m) for part, m in zip(self.parts, self.split(y), strict=True))
        return first + second

    def _preconditioner(self, a: Tensor, b: Tensor) -> Map:
        """Each pane by itself, as if the other were not there."""
        inverses = [part._preconditioner(a, b) or (lambda v: v / (a + b)) for part in self.parts]

        def apply(v: Tensor) -> Tensor:
            panes = self.split(v)
            around = v - self.join(panes)  # A reaches nothing there
            return self.join([inverse(pane) for inverse, pane in zip(inverses, panes, strict=True)]) + around / (a + b)

        return apply
