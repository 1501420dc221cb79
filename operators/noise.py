"""Noise that depends on the image. Additive noise of one std needs no function."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def poisson(y: Tensor, peak: float, generators: Sequence[torch.Generator]) -> Tensor:
    """Counts of light particles, `peak` on average where y is 1: Poisson(peak * y) / peak, with y below 0 taken as 0.

    y: [B, ...] in image units. generators: one on the CPU for each image. Not differentiable. The Poisson noise of DPS
    (Chung et al., ICLR 2023), Poisson(255 rate y) / (255 rate), has a peak of 255 rate.

    Raises ValueError for a peak that is not above 0.
    """
    if not peak > 0:
        raise ValueError(f"The peak of the Poisson noise is {peak}: use a number of particles above 0.")
    rates = (y * peak).clamp_min(0).cpu()
    counts = [torch.poisson(rate, generator) for rate, generator in zip(rates, generators, strict=True)]
    return torch.stack(counts).to(y.device) / peak
