"""What a linear operator keeps and what it loses: singular values, rank, conditioning, null space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..linalg.svd import RCOND
from .base import LinearOperator
from .colorization import Grey
from .convolution import CircularConvolution
from .denoising import Identity
from .inpainting import Selection
from .separable import Separable

WEAK = 1e-2
"""Where no singular values are known, what A makes weaker than this part of its norm counts as lost."""
TOLERANCE = 1e-5  # of the system to solve for what is unseen, which is only looked at


@dataclass(frozen=True)
class Spectrum:
    """rank: number of singular values above 1e-6 of the largest, which is what float32 can tell from zero.

    condition: the largest over the smallest of these.
    """

    rank: int
    norm: float
    condition: float


def spectrum(operator: LinearOperator) -> Spectrum | None:
    """None where the singular values are not known in closed form."""
    values = singular_values(operator)
    if values is None:
        return None
    norm = float(values.max())
    kept = values[values > RCOND * norm]
    return Spectrum(len(kept), norm, norm / float(kept.min()))


def singular_values(operator: LinearOperator) -> Tensor | None:
    """All of them, in no order, as many as A has rows or columns, whichever is less; None where not known."""
    channels = operator.image_shape[0]
    match operator:
        case Identity():
            return torch.ones(operator.image_shape).flatten()
        case Selection():
            return operator.known.expand(1, *operator.image_shape).float().flatten()
        case Grey():
            return torch.full(operator.measurement_shape, operator.norm).flatten()
        case Separable():
            return operator.singular_values.flatten().repeat(channels)
        case CircularConvolution():
            both = operator.power, operator.power[:, 1 : (operator.image_shape[2] + 1) // 2]  # and its mirror image
            return torch.cat(both, 1).sqrt().flatten().repeat(channels)
    return None


def unseen(operator: LinearOperator, x: Tensor) -> Tensor:
    """The part of images x [B, C, H, W] that their measurement says nothing about: x - A^+ A x.

    Where the singular values are not known, A^+ would take conjugate gradients too long: A^T (A A^T + w^2)^-1 takes its
    place, w = WEAK |A|, so that of a direction with singular value s the part w^2 / (s^2 + w^2) counts as lost.
    Raises RuntimeError where conjugate gradients do not converge.
    """
    y = operator(x)
    if singular_values(operator) is not None:
        return x - operator.pinv(y)
    return x - operator.adjoint(operator.solve(y, (WEAK * operator.norm) ** 2, 1.0, TOLERANCE))
