"""The ancestral sampler of DDPM (Ho et al. 2020, eq. 6 and 7), as the paper uses it.

In the variance-exploding variable, the step sqrt(ab') x0h + sqrt(1 - ab' - sd^2) e + sd z of the discrete schedule
reads x' = kept x + (1 - kept) x0h + sigma' sqrt(1 - kept) z, with kept = sigma'^2 / sigma^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback


def ancestral(
    guided: GuidedDenoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
) -> Tensor:
    """From x = x0 + sigmas[0] * eps to x0 along falling sigmas that end in 0."""
    total = len(sigmas) - 1
    for i, (sigma, next_sigma) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        if next_sigma > 0:
            noise.draw_ahead(x)
        denoised, noise_scale = guided(x, sigma, next_sigma)
        callback(i + 1, total, denoised)
        if next_sigma == 0:
            return denoised
        kept = (next_sigma / sigma) ** 2
        fresh = noise_scale * next_sigma * math.sqrt(1 - kept) * noise.like(x)
        x = kept * x + (1 - kept) * denoised + fresh
    return x
