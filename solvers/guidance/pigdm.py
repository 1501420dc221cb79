"""Pseudo-inverse guided diffusion (Song et al. 2023, "Pseudoinverse-guided diffusion models for inverse problems").

x0h + sigma^2 (d x0h / d x)^T A^T (s^2 I + r^2 A A^T)^-1 (y - A x0h),      r^2 = sigma^2 / (1 + sigma^2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem
from .guidance import Guided, GuidedDenoiser, denoise_with_graph
from .linear import require_linear, whitened_pullback


@dataclass(frozen=True)
class PiGDM:
    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        require_linear(problem, "PiGDM")

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            leaf, denoised = denoise_with_graph(denoise, x, sigma)
            weights = problem.solve(problem.residual(denoised.detach()), sigma**2 / (1 + sigma**2))
            gradient = whitened_pullback(problem, leaf, denoised, weights)
            return Guided(denoised.detach() + sigma**2 * gradient)

        return guided
