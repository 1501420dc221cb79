"""MAP estimation without backpropagation or step sizes: denoise, then step to the data, as sigma falls.

At a fixed sigma, z <- prox(denoise(z, sigma)) with the proximal variance sigma^2 is at rest where
A^T (y - A z) / s^2 = (z - denoise(z, sigma)) / sigma^2 = - grad log p_sigma(z): at the MAP under the prior smoothed by
sigma (Tweedie's formula). Half-quadratic splitting with a denoiser (Zhang et al. 2021, "Plug-and-play image
restoration with deep denoiser prior") anneals sigma in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..noise import Noise
from ..problem import Callback, Denoiser, Problem, norm, per_image
from ..proximal import proximal
from ..schedules import log_sigmas
from .estimate import Estimate


@dataclass(frozen=True)
class Annealed:
    """`steps` denoiser calls at noise levels that fall from sigma_start to sigma_end, in model units."""

    steps: int = 20
    sigma_start: float = 1.0
    sigma_end: float = 0.05

    def __call__(
        self, problem: Problem, denoise: Denoiser, start: Tensor, noise: Noise, callback: Callback
    ) -> Estimate:
        x = previous = start
        for i, sigma in enumerate(log_sigmas(self.sigma_start, self.sigma_end, self.steps)[:-1]):
            previous, x = x, fixed_point_step(problem, denoise, x, sigma)
            callback(i + 1, self.steps, x)
        change = norm(x - previous) / norm(x)
        return Estimate(x, self.steps, problem.relative_residual(x), change.flatten())


def fixed_point_step(problem: Problem, denoise: Denoiser, x: Tensor, sigma: float) -> Tensor:
    """One denoiser call and the proximal step of the same sigma."""
    return proximal(problem, denoise(x, per_image(sigma, x)), sigma**2)
