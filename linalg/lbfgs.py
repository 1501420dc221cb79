"""L-BFGS (Liu & Nocedal 1989), every image of the batch its own problem."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import cancel
from .dot import dot

MEMORY = 8
SUFFICIENT_DECREASE = 1e-4


def lbfgs(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    first_step: Tensor,
    evaluations: int,
    tolerance: float,
) -> Tensor:
    """Minimize a function of each image, [B, ...], from `start`.

    evaluate(x) returns values, shaped [B, 1, ...] as `dot` does, and gradients [B, ...]; it is called once an iteration
    and at most `evaluations` times. first_step: the length of the first step, in gradients, shaped like a value or one
    number. Later ones are tried whole and cut where
    the value does not fall. An image stays as it is once a step has lowered its value by less than `tolerance` of what
    all steps before had.
    """
    x = start
    value, gradient = evaluate(x)
    first_value = value
    moving = torch.isfinite(value)
    length = torch.ones_like(value)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(evaluations - 1):
        cancel.ask()
        if not moving.any():
            break
        direction = _direction(gradient, pairs, first_step)
        slope = dot(gradient, direction)
        step = torch.where(moving, length, 0) * direction
        trial_value, trial_gradient = evaluate(x + step)
        better = moving & (trial_value <= value + SUFFICIENT_DECREASE * length * slope)
        # The least of the parabola through both values and the slope, where the step was too long.
        curvature = (trial_value - value - length * slope).clamp_min(torch.finfo(x.dtype).tiny)
        shorter = (-slope * length / (2 * curvature)).clamp(0.1, 0.5)
        length = torch.where(better, 1.0, torch.where(torch.isfinite(trial_value), shorter, 0.1) * length)
        step = torch.where(better, step, 0)
        turn = torch.where(better, trial_gradient - gradient, 0)
        curved = dot(step, turn)
        inverse = torch.where(curved > 0, 1 / curved.clamp_min(torch.finfo(x.dtype).tiny), 0)
        pairs = [*pairs, (step, turn, inverse)][-MEMORY:]
        moving = moving & (~better | (value - trial_value > tolerance * (first_value - trial_value)))
        moving = moving & (length > 1e-4)
        x = x + step
        value = torch.where(better, trial_value, value)
        gradient = torch.where(better, trial_gradient, gradient)
    return x


def _direction(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]], first_step: Tensor) -> Tensor:
    """Minus the inverse Hessian that the pairs describe, times the gradient; a pair of inverse curvature 0 is none."""
    q = -gradient
    overlaps = []
    for step, turn, inverse in reversed(pairs):
        overlaps.append(inverse * dot(step, q))
        q = q - overlaps[-1] * turn
    scale = first_step
    for _, turn, inverse in pairs:  # that of the newest pair stays
        scale = torch.where(inverse > 0, 1 / (inverse * dot(turn, turn)), scale)
    q = scale * q
    for (step, turn, inverse), overlap in zip(pairs, reversed(overlaps), strict=True):
        q = q + (overlap - inverse * dot(turn, q)) * step
    return q
