"""Where the measurement is the image itself behind white noise, the denoiser itself knows the posterior mean."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..problem import Denoiser, per_image
from .guidance import Guided, GuidedDenoiser


def denoised_with(image: Tensor, noise_std: float, denoise: Denoiser) -> GuidedDenoiser:
    """E[x0 | x_sigma, image] for another look at x0, image = x0 + noise_std n: exact for every prior.

    All that the two say of x0 is in their mean, weighted by precision, which is x0 behind white noise of variance
    1 / (1 / sigma^2 + 1 / noise_std^2).
    """

    def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
        weight = sigma**2 / (sigma**2 + noise_std**2)
        level = max(math.sqrt(weight) * noise_std, denoise.sigma_min)
        return Guided(denoise(torch.lerp(x, image, weight), per_image(level, x)))

    return guided
