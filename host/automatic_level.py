"""A re-noise level that needs nobody to choose it."""

from __future__ import annotations

from torch import Tensor

from ..solvers.guidance import Proximal
from ..solvers.posterior_sampling import stochastic_adams
from ..solvers.sharp_level import sharp_sigma
from .restoration import Restoration, sample_posterior
from .schedule import NOISE_SPAN, Scale, renoise_of, renoise_sigma, sigmas_from


def sharp_renoise(restoration: Restoration, estimate: Tensor, scale: Scale) -> float:
    """The least renoise level whose samples are nearly as sharp as the posterior's own (`solvers.sharp_level`).

    estimate: as `Restoration.start` takes it. Draws samples of one noise, by the default guidance.
    """
    least, most = NOISE_SPAN
    largest = min(most, renoise_sigma(restoration.model, 1.0, scale))

    def sampled(sigma: float) -> Tensor:
        sigmas = sigmas_from(restoration, sigma)
        return sample_posterior(restoration, estimate, sigmas, Proximal(), stochastic_adams).image

    start = sample_posterior(restoration, estimate, [0.0], Proximal(), stochastic_adams).image
    return renoise_of(restoration.model, sharp_sigma(start, sampled, least, largest), scale)
