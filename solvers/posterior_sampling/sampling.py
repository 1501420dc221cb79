"""Stage 2 of MAP-RPS (Zhang et al. 2026, arXiv:2605.28711): re-noise the MAP estimate, then sample the posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ..guidance import Guidance, GuidedDenoiser
from ..noise import Noise
from ..problem import Callback, Denoiser, Problem

Sampler = Callable[[GuidedDenoiser, Tensor, Sequence[float], Noise, Callback], Tensor]
"""sampler(guided, x, sigmas, noise, callback) goes from x = x0 + sigmas[0] * eps to x0, along sigmas that fall to 0."""


def renoised_posterior_sampling(
    problem: Problem,
    denoise: Denoiser,
    guidance: Guidance,
    sampler: Sampler,
    estimate: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    callback: Callback,
) -> Tensor:
    """One posterior sample per image, from the estimate re-noised to sigmas[0].

    estimate: [B, C, H, W], model units; sigmas: falling noise levels that end in 0. A first level of 0 returns the
    estimate itself.
    """
    if sigmas[0] == 0:
        return estimate
    x = estimate + sigmas[0] * noise.like(estimate)
    return sampler(guidance(problem, denoise), x, sigmas, noise, callback)
