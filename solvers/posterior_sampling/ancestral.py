"""The ancestral sampler of DDPM (Ho et al. 2020, eq. 6 and 7), as the paper uses it.

In the variance-exploding variable, the step sqrt(ab') x0h + sqrt(1 - ab' - sd^2) e + sd z of the discrete schedule
reads x' = kept x + (1 - kept) x0h + sigma' sqrt(1 - kept) z, with kept = sigma'^2 / sigma^2.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..guidance import GuidedDenoiser
from ..noise import Noise
from ..problem import Callback
from .walk import walk


def ancestral(
    guided: GuidedDenoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
) -> Tensor:
    """From x = x0 + sigmas[0] * eps to x0 along falling sigmas that end in 0."""

    def step(x: Tensor, denoised: Tensor, sigma: float, next_sigma: float, fresh: Tensor) -> Tensor:
        kept = (next_sigma / sigma) ** 2
        return kept * x + (1 - kept) * denoised + fresh

    return walk(guided, x, sigmas, noise, callback, step)
