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
from .walk import walk

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
    before = given = x  # where the step that led here began, and the noise that it was given

    def step(x: Tensor, denoised: Tensor, sigma: float, next_sigma: float, fresh: Tensor) -> Tensor:
        nonlocal past, before, given
        past = [(sigma, denoised), *past][:ORDER]
        if len(past) > 1:
            x = _integrated(before, past[1][0], sigma, past) + given
        before, given = x, fresh
        return _integrated(x, sigma, next_sigma, past) + fresh

    return walk(guided, x, sigmas, noise, callback, step)


def _integrated(x: Tensor, sigma: float, next_sigma: float, past: Sequence[tuple[float, Tensor]]) -> Tensor:
    """e^(-2h) x + 2 int_0^h e^(-2u) P(t' - u) du, with P through the past."""
    kept, length = (next_sigma / sigma) ** 2, math.log(sigma / next_sigma)
    moments = [1 - kept]  # 2 int_0^h e^(-2u) u^k du, by parts
    for k in range(1, len(past)):
        moments.append(k / 2 * moments[-1] - length**k * kept)
    places = [math.log(level / next_sigma) for level, _ in past]
    weights = np.linalg.solve(np.vander(places, increasing=True).T, moments)
    x = kept * x
    for weight, (_, denoised) in zip(weights.tolist(), past, strict=True):
        x = x.add(denoised, alpha=weight)
    return x
