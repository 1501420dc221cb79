"""The proximal step on the data: the most probable x given y and x ~ N(center, covariance)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .krylov import gmres
from .problem import Problem
from .stationary import Stationary

GAUSS_NEWTON_STEPS = 8
GAUSS_NEWTON_TOLERANCE = 1e-3
KRYLOV_TOLERANCE = 1e-2
KRYLOV_ITERATIONS = 20
HALVINGS = 6
STATIONARY_TOLERANCE = 1e-2
STATIONARY_ITERATIONS = 6


def proximal(problem: Problem, center: Tensor, variance: float | Tensor) -> Tensor:
    """argmin_x |y - A(D(x))|^2 / (2 s^2) + |x - center|^2 / (2 variance).

    center: [B, C, H, W]; variance: a number or one per image, [B, 1, 1, 1]. Needs no denoiser. Linear problems are
    solved in closed form, x = center + variance A^T (s^2 I + variance A A^T)^-1 (y - A center); others by Gauss-Newton
    steps from the center, each solved in measurement space by GMRES and halved until the objective falls.
    """
    if problem.linear:
        weights = problem.operator.solve(problem.residual(center), problem.noise_std**2, variance)
        return center + variance * problem.operator.adjoint(weights)
    return _gauss_newton(problem, center, lambda v: variance * v)


def stationary_proximal(problem: Problem, center: Tensor, covariance: Stationary) -> Tensor:
    """argmin_x |y - A(D(x))|^2 / (2 s^2) + (x - center)^T R^-1 (x - center) / 2, with R the covariance.

    Linear problems: x = center + R A^T w, (s^2 I + A R A^T) w = y - A center; mode by mode where A is diagonal in the
    cosine basis as R is, else by GMRES, preconditioned with the inverse for R = variance I. It is cut short where sigma
    is large: what that leaves undone, the next noise levels do.
    """
    if not problem.linear:
        return _gauss_newton(problem, center, covariance)
    operator, noise_variance = problem.operator, problem.noise_std**2
    if operator.cosine_gain is not None:
        gain, basis = operator.cosine_gain, covariance.basis
        shrink = covariance.power * gain / (noise_variance + gain**2 * covariance.power)
        return center + basis.inverse(shrink * basis.transform(problem.residual(center)))

    def precondition(u: Tensor) -> Tensor:
        return operator.solve(u, noise_variance, covariance.variance)

    def normal(u: Tensor) -> Tensor:
        w = precondition(u)
        return noise_variance * w + operator(covariance(operator.adjoint(w)))

    u, _ = gmres(normal, problem.residual(center), STATIONARY_TOLERANCE, STATIONARY_ITERATIONS)
    return center + covariance(operator.adjoint(precondition(u)))


def _gauss_newton(problem: Problem, center: Tensor, covariance: Callable[[Tensor], Tensor]) -> Tensor:
    """x = center + R u, where u is kept beside x: the inverse of R is never needed, as |x - center|^2 is <u, R u>."""
    noise_variance = problem.noise_std**2

    def objective(x: Tensor, u: Tensor, residual: Tensor) -> Tensor:
        distance = (u * (x - center)).flatten(1).sum(1)
        return (residual.square().flatten(1).sum(1) / noise_variance + distance).view(-1, 1, 1, 1)

    x, u = center, torch.zeros_like(center)
    residual = problem.residual(x)
    value = objective(x, u, residual)
    moving = torch.ones_like(value, dtype=torch.bool)
    for _ in range(GAUSS_NEWTON_STEPS):
        target = _linearized(problem, x, residual, center - x, covariance)
        x_step, u_step = center + covariance(target) - x, target - u
        active, start, scale = moving, value, 1.0
        for _ in range(HALVINGS):
            trial, trial_u = x + scale * x_step, u + scale * u_step
            trial_residual = problem.residual(trial)
            trial_value = objective(trial, trial_u, trial_residual)
            better = active & (trial_value < value)
            x = torch.where(better, trial, x)
            u = torch.where(better, trial_u, u)
            residual = torch.where(better, trial_residual, residual)
            value = torch.where(better, trial_value, value)
            active = active & ~better
            if not active.any():
                break
            scale /= 2
        moving = moving & (start - value > GAUSS_NEWTON_TOLERANCE * start)
        if not moving.any():
            break
    return x


def _linearized(
    problem: Problem, x: Tensor, residual: Tensor, offset: Tensor, covariance: Callable[[Tensor], Tensor]
) -> Tensor:
    """u of the minimizer center + R u of the objective with A(D(.)) linearized at x; offset: center - x.

    With J the Jacobian at x: u = J^T (s^2 I + J R J^T)^-1 (residual - J offset).
    """

    def forward(z: Tensor) -> Tensor:
        return problem.operator.keep(problem.operator(problem.decoder(z)))

    def push(v: Tensor) -> Tensor:
        return torch.func.jvp(forward, (x,), (v,))[1]

    _, pull = torch.func.vjp(forward, x)

    def normal(w: Tensor) -> Tensor:
        return problem.noise_std**2 * w + push(covariance(pull(w)[0]))

    weights, _ = gmres(normal, residual - push(offset), KRYLOV_TOLERANCE, KRYLOV_ITERATIONS)
    return pull(weights)[0]
