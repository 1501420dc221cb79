"""Noise levels in the variance-exploding convention, sigma^2 = (1 - ab) / ab for the discrete alpha-bar ab."""

from __future__ import annotations

import math

from .problem import Problem

LAST_SIGMA = 0.03
"""Where few-step sampling ends at the latest before it goes to 0, in model units: finer noise than 4/255 of a pixel is
not worth steps."""
LAST_PART = 0.4
"""Of the measurement's noise std, where that is less: a pixel as uncertain as the noise keeps .86 of its variance."""
WIDEST = 8.0
"""No direction of a posterior is taken to be wider, in model units: std of an image's coarsest waves, some 50 pixels
long, where nothing of them was measured."""
STEP = 0.32
"""Longest step in log tau of a schedule that chooses its own number of steps."""
FEWEST_STEPS = 12


def alpha_bar(sigma: float) -> float:
    """ab for a sigma: 1 / (1 + sigma^2)."""
    return 1 / (1 + sigma**2)


def log_sigmas(start: float, end: float, steps: int) -> list[float]:
    """`steps` noise levels, evenly spaced in log sigma from start down to end, and a final 0."""
    if steps == 1:
        return [start, 0.0]
    ratio = math.log(end / start) / (steps - 1)
    return [start * math.exp(ratio * i) for i in range(steps)] + [0.0]


def sampling_sigmas(start: float, end: float, steps: int, known: float = WIDEST) -> list[float]:
    """`steps` noise levels from start down to end, for a sampler of few steps, and a final 0; their number is chosen
    where steps is 0, by how far the way is.

    known: noise std of an imagined other look at x0, which stands for what is known of it without x_sigma. Both looks
    together leave the noise tau = (1 / sigma^2 + 1 / known^2)^-1/2, in whose logarithm the levels are even: sparse
    where sigma is larger than `known`, since x_sigma says little there, and nothing changes from level to level.
    """
    first, last = ((sigma**-2 + known**-2) ** -0.5 for sigma in (start, end))
    steps = steps or max(FEWEST_STEPS, 1 + math.ceil(math.log(first / last) / STEP))
    taus = log_sigmas(first, last, steps)
    return [start, *((tau**-2 - known**-2) ** -0.5 for tau in taus[1:-1]), 0.0]


def posterior_sigmas(problem: Problem, start: float, smallest: float, steps: int = 0) -> list[float]:
    """The same for sampling the posterior of a problem from start.

    Where the measurement is a noisy image itself, it is the other look at x0, and tau is where the denoiser is called.
    smallest: that the denoiser knows. The last level's mean lacks the variance that is left there. So that level lies
    well below the measurement's noise, which pixels are as uncertain as: else the residual comes out too small.
    """
    end = min(LAST_SIGMA, LAST_PART * problem.noise_std) if problem.in_pixels else LAST_SIGMA
    end = max(end, smallest)
    if start <= end:
        return [start, 0.0] if start else [0.0]
    known = WIDEST if problem.noisy_image is None else problem.noisy_image[1]
    return sampling_sigmas(start, end, steps, known)
