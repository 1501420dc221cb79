"""SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095), second order in log sigma, one denoiser call a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback
from .walk import walk


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

    def step(x: Tensor, denoised: Tensor, sigma: float, next_sigma: float, fresh: Tensor) -> Tensor:
        nonlocal previous, previous_log_step
        log_step = math.log(sigma / next_sigma)
        kept = (next_sigma / sigma) ** 2
        extrapolated = denoised
        if previous is not None:
            extrapolated = denoised + (denoised - previous) * (log_step / previous_log_step / 2)
        previous, previous_log_step = denoised, log_step
        return kept * x + (1 - kept) * extrapolated + fresh

    return walk(guided, x, sigmas, noise, callback, step)
