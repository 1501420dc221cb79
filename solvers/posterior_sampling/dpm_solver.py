"""SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095), second order in log sigma, one denoiser call a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback


def dpm_solver(
    guided: GuidedDenoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
) -> Tensor:
    """From x = x0 + sigmas[0] * eps to x0 along falling sigmas that end in 0."""
    previous: Tensor | None = None
    previous_log_step = 0.0
    total = len(sigmas) - 1
    for i, (sigma, next_sigma) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        if next_sigma > 0:
            noise.draw_ahead(x)
        denoised, noise_scale = guided(x, sigma, next_sigma)
        callback(i + 1, total, denoised)
        if next_sigma == 0:
            return denoised
        log_step = math.log(sigma / next_sigma)
        kept = (next_sigma / sigma) ** 2
        extrapolated = denoised
        if previous is not None:
            extrapolated = denoised + (denoised - previous) * (log_step / previous_log_step / 2)
        fresh = noise_scale * next_sigma * math.sqrt(1 - kept) * noise.like(x)
        x = kept * x + (1 - kept) * extrapolated + fresh
        previous, previous_log_step = denoised, log_step
    return x
