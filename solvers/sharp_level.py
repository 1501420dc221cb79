"""How far stage 2 has to go back for samples that are nearly as sharp as the posterior's own.

Re-noised to sigma*, a Gaussian posterior of variance v about the estimate gives samples of variance
v (1 - (v / (v + sigma*^2))^2) about it: all of v for a large sigma*, nothing of it for sigma* = 0. Sharpness counts
gradients, in which a mode of frequency f has the weight f^2. So the level is the least sigma* that brings the gradients
which the estimate lacks back to PART of their power. v is read off one sample of the whole posterior.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis

PART = 0.9
BISECTIONS = 40


def sharp_sigma(estimate: Tensor, sample: Tensor, largest: float) -> float:
    """sigma* in model units, at most `largest`, for the image of the batch that asks for most.

    estimate, sample: [B, C, H, W]; the sample is one of the whole posterior.
    """
    basis, difference = CosineBasis.of(estimate), sample - estimate
    power = basis.transform(difference).square().mean(1)
    rings = basis.rings.sums(power) / basis.rings.sums(torch.ones_like(power))
    variance = basis.rings.between(rings).flatten(1).clamp_min(torch.finfo(power.dtype).tiny)
    energy = basis.radius.square().flatten() * variance
    variance = variance / _open_part(difference)
    low = torch.zeros_like(variance[:, :1])
    high = torch.full_like(low, largest)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        kept = variance / (variance + middle.square())
        enough = (energy * (1 - kept.square())).sum(1, keepdim=True) >= PART * energy.sum(1, keepdim=True)
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return float(high.max())


def _open_part(difference: Tensor) -> Tensor:
    """Part of an image where its posterior's variance is, [B, 1]: 1 where it is the same everywhere, as for a Gaussian
    of kurtosis 3, and p where a part p holds all of it evenly, which has the kurtosis 3 / p."""
    square = difference.square().flatten(1)
    return (3 * square.mean(1).square() / square.square().mean(1)).nan_to_num(1.0).clamp(max=1)[:, None]
