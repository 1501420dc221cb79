"""Proximal guidance: correct the denoised image towards the data, without backpropagation. The default.

E[x0 | x_sigma, y] for p(x0 | x_sigma) = N(x0h, r^2 I), exact for that r^2 if it were isotropic:

    argmin_z |y - A(D(z))|^2 / (2 s^2) + |z - x0h|^2 / (2 r^2),      r^2 = sigma^2 c / (c + sigma^2)

with c the prior's variance. DiffPIR (Zhu et al. 2023) is the case r^2 = sigma^2, c infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem, per_image
from ..proximal import proximal
from .guidance import Guided


@dataclass(frozen=True)
class Proximal:
    """prior_variance: c, in model units squared; 0.25 is that of photographs' pixels."""

    prior_variance: float = 0.25

    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser, x: Tensor, sigma: float, next_sigma: float) -> Guided:
        variance = sigma**2 * self.prior_variance / (sigma**2 + self.prior_variance)
        return Guided(proximal(problem, denoise(x, per_image(sigma, x)), variance))
