"""Noise levels of a host's model, as std of the noise on x0.

How far stage 2 goes back, `renoise` in 0..1, is read on one of two scales: "time", as published, and "noise", on which
equal amounts are equal noise on any model. 0 is the estimate itself on both.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

from ..models.schedules import ddpm_sigmas
from ..solvers.schedules import LAST_SIGMA, posterior_sigmas
from .denoiser import sigma_range, to_noise_std
from .restoration import Restoration

Scale = Literal["time", "noise"]

NOISE_SPAN = LAST_SIGMA, 30.0
"""sigma* at 0 and 1 of the scale "noise", in model units: images and latents have a std near 1, so that at 30 nothing
of the estimate is left. A model whose largest sigma is less goes as far as that."""
MOST_STEPS = 1000
"""Of a model's own levels, for the paper's sampler; one with more gives every so-manieth."""


def renoise_sigma(model, renoise: float, scale: Scale = "time") -> float:
    """sigma* of a renoise level. On "time" it is t0/T, read as KSampler reads denoise; on "noise", log sigma* is linear
    in it."""
    if renoise <= 0:
        return 0.0
    sampling = model.get_model_object("model_sampling")
    if scale == "time":
        sigma = to_noise_std(sampling, sampling.percent_to_sigma(1 - renoise))
    else:
        least, most = NOISE_SPAN
        sigma = least * (most / least) ** renoise
    return min(sigma, sigma_range(sampling)[1])


def renoise_of(model, sigma: float, scale: Scale = "time") -> float:
    """The renoise level of a sigma*, to the next thousandth: the least whose sigma* is as large, or 1."""
    levels = [level / 1000 for level in range(1001)]
    return levels[min(bisect_left(levels, sigma, key=lambda level: renoise_sigma(model, level, scale)), 1000)]


def few_step_sigmas(restoration: Restoration, renoise: float, steps: int, scale: Scale = "time") -> list[float]:
    """`steps` levels from sigma* down, as the measurement asks for them, and 0."""
    return sigmas_from(restoration, renoise_sigma(restoration.model, renoise, scale), steps)


def sigmas_from(restoration: Restoration, sigma: float, steps: int = 0) -> list[float]:
    """The same from a sigma*, in model units."""
    smallest = sigma_range(restoration.model.get_model_object("model_sampling"))[0]
    return posterior_sigmas(restoration.problem(), sigma, smallest, steps)


def every_step_sigmas(model, renoise: float, scale: Scale = "time") -> list[float]:
    """Every level of the model's discrete schedule below t0, or below sigma*, as the paper samples; DDPM's where it has
    none."""
    if renoise <= 0:
        return [0.0]
    sampling = model.get_model_object("model_sampling")
    levels = getattr(sampling, "sigmas", None)
    levels = ddpm_sigmas() if levels is None else levels
    stride = -(-len(levels) // MOST_STEPS)
    stds = [to_noise_std(sampling, float(level)) for level in levels[stride - 1 :: stride]]
    if scale == "time":
        count = round(renoise * len(stds))
    else:
        start = renoise_sigma(model, renoise, scale)
        count = sum(std <= start for std in stds)
    return [*reversed(stds[: max(1, count)]), 0.0]
