"""DMPS (Meng & Kabashima 2022, "Diffusion model based posterior sampling for noisy linear inverse problems").

With a flat prior around x_sigma, y | x_sigma ~ N(A x_sigma, s^2 I + sigma^2 A A^T), and no backpropagation:

    x0h + scale * sigma^2 A^T (s^2 I + sigma^2 A A^T)^-1 (y - A x_sigma)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem, identity, per_image
from .guidance import Guided
from .linear import require_linear_operator


@dataclass(frozen=True)
class DMPS:
    scale: float = 1.0

    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser, x: Tensor, sigma: float, next_sigma: float) -> Guided:
        require_linear_operator(problem, "DMPS")
        if problem.decoder is not identity:
            raise ValueError("DMPS works on pixels: choose another guidance for a latent model.")
        weights = problem.solve(problem.residual(x), sigma**2)
        step = self.scale * sigma**2 * problem.operator.adjoint(weights)
        return Guided(denoise(x, per_image(sigma, x)) + step)
