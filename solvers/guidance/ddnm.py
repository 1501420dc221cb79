"""DDNM+ (Wang et al. 2023, arXiv:2212.00490, sec. 3.3).

The range of A is replaced by the measurement's, as far as the noise that this brings in fits the step's own noise:

    x0h + lambda A^+ (y - A x0h)

An ancestral step from sigma to sigma' has weight w = 1 - sigma'^2 / sigma^2 on the denoised image and noise
sigma' sqrt(w); along a direction with singular value d, A^+ y has noise s / d. With k = w s / (sigma' sqrt(w)) the
paper has lambda = min(1, d / k) for each direction; the fresh noise is reduced by what is brought. Where A has
orthonormal rows, d is 1 or 0 and lambda one number. Elsewhere directions are not told apart, and

    lambda A^+ = A^T (A A^T + (k / 2)^2 I)^-1,      lambda = d^2 / (d^2 + k^2 / 4),

takes their place: it is never more than what the paper brings where noise is the bound, and nowhere more than A^+.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import SOLVE_TOLERANCE, Denoiser, Problem, per_image
from .guidance import Guided, GuidedDenoiser
from .linear import require_linear_in_pixels

WEAKEST = 0.03  # of the norm; the authors' code for deblurring leaves out directions with less


@dataclass(frozen=True)
class DDNM:
    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        operator = require_linear_in_pixels(problem, "DDNM+")

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            denoised = denoise(x, per_image(sigma, x))
            weight = 1 - (next_sigma / sigma) ** 2
            step_noise = next_sigma * math.sqrt(weight)
            if step_noise == 0:
                return Guided(denoised)
            ratio = weight * problem.noise_std / step_noise
            residual = problem.residual(denoised)
            if operator.orthonormal_rows:
                brought = min(1.0, 1 / ratio)
                correction = brought * operator.adjoint(residual)
            else:
                damping = max(ratio, WEAKEST * operator.norm) ** 2
                correction = operator.adjoint(operator.solve(residual, damping, 1.0, SOLVE_TOLERANCE))
                brought = operator.norm / (operator.norm**2 + damping)
            # What comes in along the best measured direction, as part of the step's noise.
            return Guided(denoised + correction, math.sqrt(max(0.0, 1 - (brought * ratio) ** 2)))

        return guided
