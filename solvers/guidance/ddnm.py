"""DDNM+ (Wang et al. 2023, arXiv:2212.00490, sec. 3.3), in its scalar form.

The range of A is replaced by the measurement's, as far as the noise that this brings in fits the step's own noise:

    x0h + lambda A^+ (y - A x0h),      lambda = min(1, step noise / (w s'))

An ancestral step from sigma to sigma' has weight w = 1 - sigma'^2 / sigma^2 on the denoised image and noise
sigma' sqrt(w); the correction's noise s' is that of A^+ y, and the fresh noise is reduced by what it brought.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem, per_image
from .guidance import Guided, GuidedDenoiser
from .linear import require_linear_in_pixels


@dataclass(frozen=True)
class DDNM:
    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        operator = require_linear_in_pixels(problem, "DDNM+")

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            denoised = denoise(x, per_image(sigma, x))
            weight = 1 - (next_sigma / sigma) ** 2
            step_noise = next_sigma * math.sqrt(weight)
            # 1 / |A| is the noise of A^+ y along the best measured direction, and of all of them where A A^T is a
            # multiple of I.
            brought = weight * problem.noise_std / operator.norm
            amount = min(1.0, step_noise / brought)
            corrected = denoised + amount * operator.pinv(problem.residual(denoised))
            if step_noise == 0:
                return Guided(corrected)
            return Guided(corrected, math.sqrt(max(0.0, 1 - (amount * brought / step_noise) ** 2)))

        return guided
