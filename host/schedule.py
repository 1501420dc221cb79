"""Noise levels of a host's model, as std of the noise on x0."""

from __future__ import annotations

from ..models.schedules import ddpm_sigmas
from ..solvers.schedules import sampling_sigmas
from .denoiser import sigma_range, to_noise_std

LAST_SIGMA = 0.03
"""Where few-step sampling ends before it goes to 0, in model units: finer noise than 4/255 of a pixel is not worth
steps."""


def renoise_sigma(model, renoise: float) -> float:
    """sigma* of a renoise level t0/T in 0..1, read as KSampler reads denoise: 0 is the estimate itself."""
    if renoise <= 0:
        return 0.0
    sampling = model.get_model_object("model_sampling")
    largest = sigma_range(sampling)[1]
    return min(to_noise_std(sampling, sampling.percent_to_sigma(1 - renoise)), largest)


def few_step_sigmas(model, renoise: float, steps: int) -> list[float]:
    """`steps` levels from sigma* down, and 0."""
    start = renoise_sigma(model, renoise)
    smallest = sigma_range(model.get_model_object("model_sampling"))[0]
    end = max(LAST_SIGMA, smallest)
    if start <= end:
        return [start, 0.0] if start else [0.0]
    return sampling_sigmas(start, end, steps)


def every_step_sigmas(model, renoise: float) -> list[float]:
    """Every level of the model's discrete schedule below t0, as the paper samples; DDPM's where it has none."""
    if renoise <= 0:
        return [0.0]
    sampling = model.get_model_object("model_sampling")
    levels = getattr(sampling, "sigmas", None)
    levels = ddpm_sigmas() if levels is None else levels
    count = max(1, round(renoise * len(levels)))
    return [to_noise_std(sampling, float(level)) for level in levels[:count].flip(0)] + [0.0]
