from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import cancel
from .dot import dot, norm


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    target: Tensor,
    tolerance: float = 1e-6,
    max_iterations: int = 10_000,
    precondition: Callable[[Tensor], Tensor] | None = None,
    cut_short: bool = False,
) -> Tensor:
    """Solve apply(x) = target for a symmetric positive (semi-)definite `apply` (Hestenes and Stiefel, 1952).

    target: [B, ...]; every image is its own system with its own step sizes, and stands still once it has converged, so
    that its solution does not depend on the batch it sits in.
    tolerance: an image has converged when |apply(x) - target| <= tolerance * |target|.
    precondition: a symmetric positive definite map near the inverse of `apply`; none by default.
    cut_short: to take what `max_iterations` give. Its error is what `apply` almost stops.

    Raises RuntimeError if an image has not converged after `max_iterations`, unless cut short, or has become NaN.
    """
    precondition = precondition or (lambda residual: residual)
    x = torch.zeros_like(target)
    residual = target
    size = norm(target)
    goal = tolerance * size
    direction = precondition(residual)
    square = dot(residual, direction)
    for _ in range(max_iterations):
        cancel.ask()
        active = size > goal
        if not active.any():
            break
        image = apply(direction)
        step = torch.where(active, square / dot(direction, image), 0.0)
        x = x + step * direction
        residual = residual - step * image
        size = norm(residual)
        steepest = precondition(residual)
        previous, square = square, dot(residual, steepest)
        direction = steepest + torch.where(active, square / previous, 0.0) * direction
    failed = ~torch.isfinite(size) if cut_short else ~(size <= goal)  # the latter is True for NaN
    if failed.any():
        worst = tolerance * float((size / goal)[failed].max())
        raise RuntimeError(
            f"Conjugate gradients stopped at a relative residual of {worst:.1e}, where {tolerance:.1e} was asked for: "
            "raise the noise std, or look for values in the measurement that are not finite."
        )
    return x
