"""Proximal guidance: correct the denoised image towards the data, without backpropagation through the model.

E[x0 | x_sigma, y] for p(x0 | x_sigma) = N(x0h, R), exact for that R:

    argmin_z |y - A(D(z))|^2 / (2 s^2) + (z - x0h)^T R^-1 (z - x0h) / 2

Where the measurement is the image itself behind white noise (denoising), one call of the denoiser on both is exact.

R is a stationary covariance, read off the denoiser's own output (`denoising_covariance`). So what a pixel's
measurement says reaches the neighbours it is correlated with, which R = r^2 I leaves to later steps: on a Gaussian
prior with half of the pixels missing, that lets their variance come out 1.6 times too large, at any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..denoising_covariance import denoising_covariance
from ..encoding import Encoding
from ..problem import Denoiser, Problem, per_image
from ..proximal import proximal, stationary_proximal
from .guidance import Guided, GuidedDenoiser
from .noisy_image import denoised_with

ENCODED_ABOVE = 0.15
"""Noise level in model units, above which data steps through a decoder begin by encoding."""


@dataclass(frozen=True)
class Proximal:
    """prior_variance: None, or c of the isotropic R = sigma^2 c / (c + sigma^2) I; DiffPIR (Zhu et al. 2023) is c =
    inf, PiGDM's r^2 is c = 1."""

    prior_variance: float | None = None

    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        if problem.noisy_image is not None and self.prior_variance is None:
            return denoised_with(*problem.noisy_image, denoise)
        if problem.encoder is not None and self.prior_variance is None:
            return _encoded(problem, denoise)

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            denoised = denoise(x, per_image(sigma, x))
            if self.prior_variance is None:
                return Guided(stationary_proximal(problem, denoised, denoising_covariance(x, denoised, sigma)))
            return Guided(proximal(problem, denoised, 1 / (1 / sigma**2 + 1 / self.prior_variance)))

        return guided


def _encoded(problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
    """The same through a decoder, by a few gradients of it; where sigma is large, from the point that encoding reaches,
    since the way is far there, and gradients alone go astray."""
    encoding: Encoding | None = None

    def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
        nonlocal encoding
        denoised = denoise(x, per_image(sigma, x))
        covariance = denoising_covariance(x, denoised, sigma)
        if encoding is None:
            encoding = Encoding(problem, denoised)
        if sigma > ENCODED_ABOVE:
            z = encoding.proximal(denoised, covariance.variance, refined=False)
            return Guided(encoding.descend(z, denoised, covariance, steps=1))
        return Guided(encoding.descend(denoised, denoised, covariance, steps=2))

    return guided
