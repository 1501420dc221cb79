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

import torch
from torch import Tensor

from ..denoising_covariance import denoising_covariance
from ..latent_step import LatentStep
from ..problem import Denoiser, Problem, per_image
from ..proximal import proximal, stationary_proximal
from .guidance import Guided, GuidedDenoiser
from .noisy_image import denoised_with

# Noise levels in model units, of data steps through a decoder:
FAR = 0.5
"""Above it the way is far, and what a step misses is noise to the next ones: encoding alone goes least astray."""
NEAR = 0.15
"""Below it, a mean Jacobian that explains what A sees needs no gradient."""


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
            return _through_decoder(problem, denoise)

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            denoised = denoise(x, per_image(sigma, x))
            if self.prior_variance is None:
                return Guided(stationary_proximal(problem, denoised, denoising_covariance(x, denoised, sigma)))
            return Guided(proximal(problem, denoised, 1 / (1 / sigma**2 + 1 / self.prior_variance)))

        return guided


def _through_decoder(problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
    """The same through a decoder: by what reaches far without a gradient, then, where that leaves something, by one."""
    encoder = problem.encoder
    assert encoder is not None
    step: LatentStep | None = None

    def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
        nonlocal step
        denoised = denoise(x, per_image(sigma, x))
        covariance = denoising_covariance(x, denoised, sigma)
        # Probed at what the measurement shows by itself: what is denoised at first has no detail.
        step = step or LatentStep(problem, encoder(problem.operator.initial_guess(problem.measurement)))
        if sigma > FAR:
            return Guided(step.reach(denoised, covariance, far=True))
        if sigma > NEAR:
            return Guided(step.descend(step.reach(denoised, covariance), denoised, covariance, steps=1))
        z = step.linearized(denoised, covariance)
        if step.is_explained.all():
            return Guided(z)
        lowered = step.descend(z, denoised, covariance, steps=1 if problem.operator.linear else 2)
        return Guided(torch.where(step.is_explained, z, lowered))

    return guided
