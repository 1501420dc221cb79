"""The interface of a guidance term: from a denoiser of the prior to one of the posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..problem import Denoiser, Problem, per_image


class Guided(NamedTuple):
    """denoised: an approximation of E[x0 | x_sigma, y], [B, C, H, W]; noise_scale: what the sampler multiplies its
    fresh noise by, below 1 where the correction has already brought noise in."""

    denoised: Tensor
    noise_scale: float = 1.0


GuidedDenoiser = Callable[[Tensor, float, float], Guided]
"""guided(x, sigma, next_sigma), of x = x0 + sigma * eps [B, C, H, W]; the coming step leads to next_sigma, below sigma.

It serves one run of a sampler, and may remember the steps before.
"""


class Guidance(Protocol):
    """The settings of a guidance term, which any number of runs may share.

    differentiates: whether it backpropagates through the denoiser. Called, it raises ValueError for a problem that it
    cannot solve, before any step.
    """

    @property
    def differentiates(self) -> bool: ...

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser: ...


def denoise_with_graph(denoise: Denoiser, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """(leaf, denoised) with a graph from the leaf to the denoised image."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return leaf, denoise(leaf, per_image(sigma, x))
