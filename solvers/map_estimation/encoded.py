"""MAP estimation through a decoder: the annealed map, with the step to the data of `latent_step`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...linalg.cosine_basis import CosineBasis
from ...linalg.dot import norm
from ...linalg.stationary import Stationary
from ..latent_step import LatentStep
from ..noise import Noise
from ..problem import Callback, Denoiser, Problem, per_image
from ..schedules import log_sigmas
from .annealed import Annealed
from .estimate import Estimate

VARIANCE = 3.0
"""Of what the data step takes the denoised latents to be off by, but for the last step, in units of sigma^2: a model's
denoiser takes out what noise comes in with it, up to .4 dB better through a lossy VAE."""


@dataclass(frozen=True)
class Encoded:
    """At most `steps` denoiser calls at noise levels that fall from sigma_start to sigma_end, in model units.

    From `refined_from` down, data steps that go by encoding are corrected for what it changes, with gradients of the
    decoder where that is not enough (`LatentStep.refine`).

    In pixels, and for a problem without an encoder, it is `Annealed` with so many steps.
    """

    steps: int = 8
    sigma_start: float = 1.0
    sigma_end: float = 0.05
    refined_from: float = 0.2

    def __call__(
        self, problem: Problem, denoise: Denoiser, start: Tensor, noise: Noise, callback: Callback
    ) -> Estimate:
        if problem.encoder is None:
            return Annealed(self.steps)(problem, denoise, start, noise, callback)
        step = LatentStep(problem, start)
        white = torch.ones_like(start[:, :1])
        x, change = start, torch.zeros_like(norm(start))
        for i, sigma in enumerate(log_sigmas(self.sigma_start, self.sigma_end, self.steps)[:-1], 1):
            denoised = denoise(x, per_image(sigma, x))
            variance = sigma**2 if i == self.steps else VARIANCE * sigma**2
            covariance = Stationary(CosineBasis.of(x), variance * white)
            mapped = (step.refine if sigma <= self.refined_from else step.reach)(denoised, covariance)
            change, x = norm(mapped - x) / norm(mapped), mapped
            callback(i, self.steps, x)
        return Estimate(x, self.steps, problem.relative_residual(x), change.flatten())
