"""What guidance terms for a linear operator share."""

from __future__ import annotations

import torch
from torch import Tensor

from ...operators import LinearOperator
from ..problem import Problem


def require_linear(problem: Problem, name: str) -> LinearOperator:
    """A. Raises ValueError where it is not linear."""
    if not isinstance(problem.operator, LinearOperator):
        raise ValueError(f"{name} needs a linear degradation: choose the guidance 'proximal' or 'DPS' for this one.")
    return problem.operator


def require_linear_in_pixels(problem: Problem, name: str) -> LinearOperator:
    """A. Raises ValueError where it is not linear, or where a decoder lies before it."""
    operator = require_linear(problem, name)
    if not problem.in_pixels:
        raise ValueError(f"{name} works on pixels: choose another guidance for a latent model.")
    return operator


def whitened_pullback(problem: Problem, leaf: Tensor, denoised: Tensor, weights: Tensor) -> Tensor:
    """(d D(x0h) / d leaf)^T A^T weights, through the graph from leaf to denoised."""
    with torch.enable_grad():
        inner = (problem.decoder(denoised) * problem.linear_operator.adjoint(weights)).sum()
        return torch.autograd.grad(inner, leaf, retain_graph=True)[0]
