"""A re-noise level that needs nobody to choose it."""

from __future__ import annotations

from torch import Tensor

from ..solvers.guidance import Proximal
from ..solvers.posterior_sampling import stochastic_adams
from ..solvers.sharp_level import sharp_sigma
from .restoration import Restoration, sample_posterior
from .schedule import Scale, few_step_sigmas, renoise_of, renoise_sigma


def sharp_renoise(restoration: Restoration, estimate: Tensor, scale: Scale) -> float:
    """The least renoise level whose samples are nearly as sharp as the posterior's own (`solvers.sharp_level`).

    estimate: as `Restoration.start` takes it. Draws one sample of the whole posterior, by the default guidance.
    """
    whole = few_step_sigmas(restoration, 1.0, 0, scale)
    sample = sample_posterior(restoration, estimate, whole, Proximal(), stochastic_adams).latents
    start, sample = (restoration.start(latents).float().cpu() for latents in (estimate, sample))
    largest = renoise_sigma(restoration.model, 1.0, scale)
    return renoise_of(restoration.model, sharp_sigma(start, sample, largest), scale)
