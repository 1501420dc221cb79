"""The interface of a guidance term: from a denoiser of the prior to one of the posterior."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..problem import Denoiser, Problem, per_image


class Guided(NamedTuple):
    """denoised: an approximation of E[x0 | x_sigma, y], [B, C, H, W]; noise_scale: what the sampler multiplies its
    fresh noise by, below 1 where the correction has already brought noise in."""

    denoised: Tensor
    noise_scale: float = 1.0


class Guidance(Protocol):
    """x = x0 + sigma * eps [B, C, H, W]; next_sigma: where the coming step leads, below sigma.

    differentiates: whether it backpropagates through the denoiser.
    """

    differentiates: ClassVar[bool]

    def __call__(self, problem: Problem, denoise: Denoiser, x: Tensor, sigma: float, next_sigma: float) -> Guided: ...


@runtime_checkable
class GuidanceWithHistory(Protocol):
    """The settings of a guidance term that remembers earlier steps, shared as they are between runs.

    begin: the term for one run, its history empty. Whoever runs a sampler calls `begin`, once for every run.
    """

    differentiates: ClassVar[bool]

    def begin(self) -> Guidance: ...


def begin(guidance: Guidance | GuidanceWithHistory) -> Guidance:
    """The term for one run."""
    return guidance.begin() if isinstance(guidance, GuidanceWithHistory) else guidance


def denoise_with_graph(denoise: Denoiser, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """(leaf, denoised) with a graph from the leaf to the denoised image."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return leaf, denoise(leaf, per_image(sigma, x))
