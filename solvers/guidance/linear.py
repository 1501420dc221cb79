"""What guidance terms for a linear operator share."""

from __future__ import annotations

import torch
from torch import Tensor

from ..problem import Problem


def require_linear_operator(problem: Problem, name: str) -> None:
    """Raises ValueError where A is not linear."""
    if not problem.operator.linear:
        raise ValueError(f"{name} needs a linear degradation: choose the guidance 'proximal' or 'DPS' for this one.")


def whitened_pullback(problem: Problem, leaf: Tensor, denoised: Tensor, weights: Tensor) -> Tensor:
    """(d D(x0h) / d leaf)^T A^T weights, through the graph from leaf to denoised."""
    with torch.enable_grad():
        inner = (problem.decoder(denoised) * problem.operator.adjoint(weights)).sum()
        return torch.autograd.grad(inner, leaf, retain_graph=True)[0]
