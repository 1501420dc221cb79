"""The proximal step on the data: the most probable x given y and x ~ N(center, variance I)."""

from __future__ import annotations

import torch
from torch import Tensor

from .krylov import gmres
from .problem import Problem

GAUSS_NEWTON_STEPS = 8
GAUSS_NEWTON_TOLERANCE = 1e-3
KRYLOV_TOLERANCE = 1e-2
KRYLOV_ITERATIONS = 20
HALVINGS = 6


def proximal(problem: Problem, center: Tensor, variance: float | Tensor) -> Tensor:
    """argmin_x |y - A(D(x))|^2 / (2 s^2) + |x - center|^2 / (2 variance).

    center: [B, C, H, W]; variance: a number or one per image, [B, 1, 1, 1]. Needs no denoiser. Linear problems are
    solved in closed form, x = center + variance A^T (s^2 I + variance A A^T)^-1 (y - A center); others by Gauss-Newton
    steps from the center, each solved in measurement space by GMRES and halved until the objective falls.
    """
    if problem.linear:
        weights = problem.operator.solve(problem.residual(center), problem.noise_std**2, variance)
        return center + variance * problem.operator.adjoint(weights)
    return _gauss_newton(problem, center, variance)


def _gauss_newton(problem: Problem, center: Tensor, variance: float | Tensor) -> Tensor:
    noise_variance = problem.noise_std**2

    def objective(x: Tensor, residual: Tensor) -> Tensor:
        distance = ((x - center).square() / variance).flatten(1).sum(1)
        return (residual.square().flatten(1).sum(1) / noise_variance + distance).view(-1, 1, 1, 1)

    x = center
    residual = problem.residual(x)
    value = objective(x, residual)
    for _ in range(GAUSS_NEWTON_STEPS):
        step = _gauss_newton_step(problem, x, residual, center - x, variance)
        active = torch.ones_like(value, dtype=torch.bool)
        start = value
        scale = 1.0
        for _ in range(HALVINGS):
            trial = torch.where(active, x + scale * step, x)
            trial_residual = problem.residual(trial)
            trial_value = objective(trial, trial_residual)
            better = active & (trial_value < value)
            x = torch.where(better, trial, x)
            residual = torch.where(better, trial_residual, residual)
            value = torch.where(better, trial_value, value)
            active = active & ~better
            if not active.any():
                break
            scale /= 2
        if ((start - value) <= GAUSS_NEWTON_TOLERANCE * start).all():
            break
    return x


def _gauss_newton_step(
    problem: Problem, x: Tensor, residual: Tensor, offset: Tensor, variance: float | Tensor
) -> Tensor:
    """The minimizer of the linearized objective, as a step from x.

    With J the Jacobian of A(D(.)) at x and d = center - x: step = d + v J^T (s^2 I + v J J^T)^-1 (residual - J d).
    """

    def forward(z: Tensor) -> Tensor:
        return problem.operator.keep(problem.operator(problem.decoder(z)))

    def push(v: Tensor) -> Tensor:
        return torch.func.jvp(forward, (x,), (v,))[1]

    _, pull = torch.func.vjp(forward, x)

    def normal(u: Tensor) -> Tensor:
        return problem.noise_std**2 * u + push(variance * pull(u)[0])

    weights, _ = gmres(normal, residual - push(offset), KRYLOV_TOLERANCE, KRYLOV_ITERATIONS)
    return offset + variance * pull(weights)[0]
