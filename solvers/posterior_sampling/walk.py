"""What samplers share: the way down the noise levels, one guided denoising at each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback

Step = Callable[[Tensor, Tensor, float, float, Tensor], Tensor]
"""step(x, denoised, sigma, next_sigma, fresh) leads from x at sigma to x at next_sigma, above 0; fresh is the noise
that the reverse SDE adds on the way, next_sigma sqrt(1 - next_sigma^2 / sigma^2) z."""


def walk(
    guided: GuidedDenoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
    step: Step,
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
        fresh = noise_scale * next_sigma * math.sqrt(1 - (next_sigma / sigma) ** 2) * noise.like(x)
        x = step(x, denoised, sigma, next_sigma, fresh)
    return x
