"""Diffusion posterior sampling (Chung et al. 2023, arXiv:2209.14687, algorithm 1; the guidance of MAP-RPS).

Published as a step after the ancestral one, in the variance-preserving variable x_t = sqrt(ab) x_sigma:

    x_t-1 <- x_t-1 - scale * grad_x_t |y - A(D(x0h))|

An ancestral step from sigma to sigma' moves by (1 - sigma'^2 / sigma^2) times the denoised image, so the same step
results from adding to it  - scale / (sqrt(ab ab') (1 - sigma'^2 / sigma^2)) * grad_x_sigma |y - A(D(x0h))|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...linalg.dot import norm
from ..problem import Denoiser, Problem
from ..schedules import alpha_bar
from .guidance import Guided, GuidedDenoiser, denoise_with_graph


@dataclass(frozen=True)
class DPS:
    """scale: the paper's step size for grad |residual|, per image. A scale of None takes the gradient of the Gaussian
    log-likelihood instead, the approximation that DPS rests on: E[x0 | x_sigma, y] with y ~ N(A(D(x0h)), s^2 I)."""

    scale: float | None = 1.0

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            leaf, denoised = denoise_with_graph(denoise, x, sigma)
            with torch.enable_grad():
                residual = problem.residual(denoised)
                (gradient,) = torch.autograd.grad(residual.square().sum() / 2, leaf)
            if self.scale is None:
                return Guided(denoised.detach() - (sigma / problem.noise_std) ** 2 * gradient)
            length = norm(residual.detach()).clamp_min(torch.finfo(x.dtype).tiny)
            step = self.scale / math.sqrt(alpha_bar(sigma)) * gradient / length
            return Guided(moved(denoised.detach(), step, sigma, next_sigma))

        return guided


def moved(denoised: Tensor, step: Tensor, sigma: float, next_sigma: float) -> Tensor:
    """The denoised image that makes an ancestral step end in x_t-1 - step where `denoised` makes it end in x_t-1."""
    advance = 1 - (next_sigma / sigma) ** 2
    return denoised - step / (math.sqrt(alpha_bar(next_sigma)) * advance)
