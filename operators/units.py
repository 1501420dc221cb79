"""From image units, [0, 1], to model units, [-1, 1]: x = 2 x_image - 1."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Operator


def model_units(operator: Operator, measurement: Tensor, noise_std: float) -> tuple[Operator, Tensor, float]:
    """Restate y = A(x_image) + noise_std n as y' = A'(x) + s' n, with x in model units.

    measurement: [B, c, h, w] in image units. Returns (A', y', s'), with s' = 2 noise_std and
    - linear A: A' = A and y' = 2 y - A(1), which is 2 y - 1 only where the rows of A sum to one;
    - otherwise: A'(x) = 2 A((x + 1) / 2) - 1 and y' = 2 y - 1.
    Entries that carry no measurement become zero, whatever they held.
    """
    y = 2 * operator.keep(measurement)  # which names another size than the operator's
    if operator.linear:
        ones = torch.ones(1, *operator.image_shape, device=operator.device, dtype=operator.dtype)
        return operator, operator.keep(y - operator(ones)), 2 * noise_std
    return InModelUnits(operator), operator.keep(y - 1), 2 * noise_std


class InModelUnits(Operator):
    """A nonlinear operator of image units that takes and gives model units."""

    def __init__(self, operator: Operator):
        super().__init__(operator.space, operator.measurement_shape)
        self.operator = operator

    @property
    def measured(self) -> int:
        return self.operator.measured

    def _forward(self, x: Tensor) -> Tensor:
        return 2 * self.operator((x + 1) / 2) - 1

    def _keep(self, y: Tensor) -> Tensor:
        return self.operator.keep(y)

    def _initial_guess(self, y: Tensor) -> Tensor:
        return 2 * self.operator.initial_guess((y + 1) / 2) - 1
