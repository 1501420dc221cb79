from __future__ import annotations

import torch
from torch import Tensor

from . import cancel
from .dot import dot, norm
from .linear_map import Map


def least_squares(
    forward: Map,
    adjoint: Map,
    target: Tensor,
    tolerance: float = 1e-6,
    resolution: float = 1e-7,
    max_iterations: int = 3000,
    start: Tensor | None = None,
    weigh: Map | None = None,
) -> Tensor:
    """The x of least norm among those with the least |forward(x) - target|, by conjugate gradients (CGLS).

    Hestenes and Stiefel 1952; in this form, which never squares the condition number, and with these two rules to stop:
    Paige and Saunders, "LSQR: an algorithm for sparse linear equations and sparse least squares", ACM TOMS 1982.

    target: [B, ...]; every image is its own problem with its own step sizes, and stands still once it has converged, so
    that its solution does not depend on the batch it sits in.
    tolerance, resolution: with r = target - A x, an image has converged when
        |r| <= tolerance |target| + resolution |A| |x|,
    as it can where the target is the A of something, or when
        |A^T r| <= resolution |A| |r|,
    where all that is left of r lies outside of what A reaches, or is reached so weakly that it counts as that.
    start: of the form A^T z, such as an earlier result; zero unless given. From there x stays in the range of A^T.
    weigh: a symmetric positive definite W. The least <r, W r> then takes the place of the least |r|: the same where
    the target is the A of something, and a W near (A A^T)^-1 needs far fewer steps.

    After `max_iterations` x is returned as it is: |r| has fallen all the way, and what would still change belongs to
    the smallest singular values. Raises RuntimeError if an image has become NaN or infinite.
    """
    weigh = weigh or (lambda residual: residual)
    residual = target
    x = torch.zeros_like(adjoint(target)) if start is None else start
    if start is not None:
        residual = target - forward(x)
    weighted = weigh(residual)
    gradient = direction = adjoint(weighted)
    square = dot(gradient, gradient)
    goal = tolerance * norm(target)
    gain = torch.zeros_like(goal)
    for _ in range(max_iterations):
        cancel.ask()
        image = forward(direction)
        gain = torch.maximum(gain, norm(image) / norm(direction).clamp_min(torch.finfo(target.dtype).tiny))
        fits = norm(residual) <= goal + resolution * gain * norm(x)
        active = ~fits & (square.sqrt() > resolution * gain * norm(weighted))
        if not active.any():
            break
        step = torch.where(active, square / dot(image, weigh(image)), 0.0)
        x = x + step * direction
        residual = residual - step * image
        weighted = weigh(residual)
        gradient = adjoint(weighted)
        previous, square = square, dot(gradient, gradient)
        direction = gradient + torch.where(active, square / previous, 0.0) * direction
    if not torch.isfinite(norm(x) + norm(residual)).all():
        raise RuntimeError("Least squares met a value that is not finite: look for such values in the measurement.")
    return x
