"""SA-Solver (Xue et al. 2023, arXiv:2309.05019): a stochastic Adams method with a corrector, one denoiser call a step.

In t = -log sigma, the reverse SDE is dx = 2 (D - x) dt + sqrt(2) sigma dW. Over a step of length h to t', with D
replaced by a polynomial P,

    x' = e^(-2h) x + 2 int_0^h e^(-2u) P(t' - u) du + sigma' sqrt(1 - e^(-2h)) z.

P goes through the last three denoised images. Once the one at x' is known, the step is taken again, with that one as
the third and the same z: so x' also answers to the noise it was given, without which textures come out too weak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback

ORDER = 3


def stochastic_adams(
    guided: GuidedDenoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
) -> Tensor:
    """From x = x0 + sigmas[0] * eps to x0 along falling sigmas that end in 0."""
    past: list[tuple[float, Tensor]] = []  # the last levels and what was denoised there, the newest first
    before = fresh = x
    total = len(sigmas) - 1
    for i, (sigma, next_sigma) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        if next_sigma > 0:
            noise.draw_ahead(x)
        denoised, noise_scale = guided(x, sigma, next_sigma)
        callback(i + 1, total, denoised)
        if next_sigma == 0:
            return denoised
        past = [(sigma, denoised), *past][:ORDER]
        if i > 0:
            x = _step(before, sigmas[i - 1], sigma, past) + fresh
        kept = (next_sigma / sigma) ** 2
        fresh = noise_scale * next_sigma * math.sqrt(1 - kept) * noise.like(x)
        before, x = x, _step(x, sigma, next_sigma, past) + fresh
    return x


def _step(x: Tensor, sigma: float, next_sigma: float, past: Sequence[tuple[float, Tensor]]) -> Tensor:
    """e^(-2h) x + 2 int_0^h e^(-2u) P(t' - u) du, with P through the past."""
    kept, length = (next_sigma / sigma) ** 2, math.log(sigma / next_sigma)
    moments = [1 - kept]  # 2 int_0^h e^(-2u) u^k du, by parts
    for k in range(1, len(past)):
        moments.append(k / 2 * moments[-1] - length**k * kept)
    places = [math.log(level / next_sigma) for level, _ in past]
    weights = np.linalg.solve(np.vander(places, increasing=True).T, moments)
    x = kept * x
    for weight, (_, denoised) in zip(weights.tolist(), past, strict=True):
        x = x + weight * denoised
    return x
