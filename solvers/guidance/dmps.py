"""DMPS (Meng & Kabashima 2022, "Diffusion model based posterior sampling for noisy linear inverse problems").

With a flat prior around x_sigma, y | x_sigma ~ N(A x_sigma, s^2 I + sigma^2 A A^T), and no backpropagation:

    x0h + scale * sigma^2 A^T (s^2 I + sigma^2 A A^T)^-1 (y - A x_sigma)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem, per_image
from .guidance import Guided, GuidedDenoiser
from .linear import require_linear_in_pixels


@dataclass(frozen=True)
class DMPS:
    scale: float = 1.0

    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        operator = require_linear_in_pixels(problem, "DMPS")

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            weights = problem.solve(problem.residual(x), sigma**2)
            step = self.scale * sigma**2 * operator.adjoint(weights)
            return Guided(denoise(x, per_image(sigma, x)) + step)

        return guided
