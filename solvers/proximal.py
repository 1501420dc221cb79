"""The proximal step on the data: the most probable x given y and x ~ N(center, covariance)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..linalg.conjugate_gradients import conjugate_gradients
from ..linalg.dot import dot
from ..linalg.gmres import gmres
from ..linalg.lbfgs import lbfgs
from ..linalg.stationary import Stationary
from .problem import Problem

DESCENT_EVALUATIONS = 30
DECODER_EVALUATIONS = 6
DESCENT_TOLERANCE = 5e-5
STATIONARY_TOLERANCE = 1e-2
STATIONARY_ITERATIONS = 10
FILLING_TOLERANCE = 1e-3
FILLING_ITERATIONS = 8
LEAST_FILLED_NOISE = 0.02
"""In model units; with less, filling takes longer than GMRES."""
APPROXIMATE_ITERATIONS = 12
"""With an approximate preconditioner: as exact as 6 with the exact one, in an eighth of the time."""


def proximal(
    problem: Problem,
    center: Tensor,
    variance: float | Tensor,
    start: Tensor | None = None,
) -> Tensor:
    """argmin_x |y - A(D(x))|^2 / (2 s^2) + |x - center|^2 / (2 variance).

    center: [B, C, H, W]; variance: a number or one per image, [B, 1, 1, 1]. Needs no denoiser. Linear problems are
    solved in closed form, x = center + variance A^T (s^2 I + variance A A^T)^-1 (y - A center); others by L-BFGS
    from `start`, or the center.
    """
    if problem.linear:
        weights = problem.solve(problem.residual(center), variance)
        return center + variance * problem.linear_operator.adjoint(weights)
    root = torch.as_tensor(variance).sqrt().to(center)
    first = torch.zeros_like(center) if start is None else (start - center) / root
    return _whitened_descent(problem, center, lambda u: root * u, variance, first)


def stationary_proximal(
    problem: Problem, center: Tensor, covariance: Stationary, iterations: int = STATIONARY_ITERATIONS
) -> Tensor:
    """argmin_x |y - A(D(x))|^2 / (2 s^2) + (x - center)^T R^-1 (x - center) / 2, with R the covariance.

    Linear problems: x = center + R A^T w, (s^2 I + A R A^T) w = y - A center; mode by mode where A is diagonal in the
    cosine basis as R is, else by GMRES, preconditioned with the inverse for R = variance I, or with what is near it
    where that takes iterations; where A has orthonormal rows and the noise is not small, by conjugate gradients on what
    is missing. Both are cut short, GMRES after so many `iterations`, where sigma is large: what that leaves, the next
    noise levels do.
    """
    if not problem.linear:
        return _whitened_descent(problem, center, covariance.root, covariance.variance, torch.zeros_like(center))
    operator, noise_variance = problem.linear_operator, problem.noise_std**2
    if operator.cosine_gain is not None:
        gain = operator.cosine_gain
        shrink = covariance.power * gain / (noise_variance + gain**2 * covariance.power)
        return center + covariance.filter(problem.residual(center), shrink)

    if operator.orthonormal_rows and problem.noise_std >= LEAST_FILLED_NOISE:
        return center + _filled(problem, problem.residual(center), covariance)
    weights = stationary_weights(problem, problem.residual(center), covariance, iterations)
    return center + covariance(operator.adjoint(weights))


def _filled(problem: Problem, residual: Tensor, covariance: Stationary) -> Tensor:
    """R A^T (s^2 I + A R A^T)^-1 residual, [B, C, H, W], for an A with orthonormal rows.

    As C^T g v, with C the modes and g^2 = R / (R + s^2) the Wiener filter of a picture of which all is measured:

        (I - g C (I - A^T A) C^T g) v = g C A^T residual.

    Its eigenvalues lie between s^2 / (s^2 + R) and 1; what is missing has mostly high frequencies, where R is small.
    """
    operator = problem.linear_operator
    gain = (covariance.power / (covariance.power + problem.noise_std**2)).sqrt()

    def missing(x: Tensor) -> Tensor:
        return x - operator.adjoint(operator(x))

    def normal(v: Tensor) -> Tensor:
        return v - gain * covariance.modes(missing(covariance.image(gain * v)))

    target = gain * covariance.modes(operator.adjoint(residual))
    v = conjugate_gradients(normal, target, FILLING_TOLERANCE, FILLING_ITERATIONS, cut_short=True)
    return covariance.image(gain * v)


def stationary_weights(
    problem: Problem, residual: Tensor, covariance: Stationary, iterations: int = STATIONARY_ITERATIONS
) -> Tensor:
    """w of (s^2 I + A R A^T) w = residual, [B, c, h, w], with R the covariance, for a linear problem."""
    operator, noise_variance = problem.linear_operator, problem.noise_std**2
    if operator.cosine_gain is not None:
        return covariance.filter(residual, 1 / (noise_variance + operator.cosine_gain**2 * covariance.power))

    def normal(w: Tensor) -> Tensor:
        return noise_variance * w + operator.measured_covariance(covariance, w)

    if operator.orthonormal_rows:  # the preconditioner is a number, which changes no direction
        return gmres(normal, residual, STATIONARY_TOLERANCE, iterations)[0]
    variance = covariance.variance
    nearly = operator.preconditioner(noise_variance, variance)
    precondition = nearly or (lambda u: problem.solve(u, variance))
    u, _ = gmres(
        lambda u: normal(precondition(u)),
        residual,
        STATIONARY_TOLERANCE,
        APPROXIMATE_ITERATIONS if nearly else iterations,
    )
    return precondition(u)


def _whitened_descent(
    problem: Problem,
    center: Tensor,
    root: Callable[[Tensor], Tensor],
    variance: float | Tensor,
    start: Tensor,
) -> Tensor:
    """The minimizer center + L u, by L-BFGS on |y - A(D(center + L u))|^2 / (2 s^2) + |u|^2 / 2, from u = start.

    root: L, a square root of the covariance. One pass forward and one back through A and D for each evaluation.
    """
    noise_variance = problem.noise_std**2

    def evaluate(u: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            residual = problem.residual(center + root(leaf))
            value = (dot(residual, residual) / noise_variance + dot(leaf, leaf)) / 2
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient

    evaluations = DESCENT_EVALUATIONS if problem.in_pixels else DECODER_EVALUATIONS
    first_step = 1 / (1 + torch.as_tensor(variance) / noise_variance)
    u = lbfgs(evaluate, start, first_step.to(center), evaluations, DESCENT_TOLERANCE)
    return center + root(u)
