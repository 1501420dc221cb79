"""Whether a denoiser does more than a filter, read off one call of it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis


def nonlinearity(x: Tensor, denoised: Tensor) -> Tensor:
    """Of what a denoiser took out of x, the share by which it differs from the nearest filter: min over g of
    |denoised - g x|^2 / |x - denoised|^2, with a gain g for every channel and ring of frequencies. [B, 1, 1, 1].

    A linear denoiser of a stationary prior has next to none; a learned one has .3 and more, once there is a picture to
    tell from the noise. Without the mean of each channel.
    """
    basis = CosineBasis.of(x)
    before, after = basis.transform(x), basis.transform(denoised)
    products = torch.stack([before.square(), before * after, after.square()], 1)
    power, shared, kept = basis.rings.sums(products).unbind(1)
    rest = kept - shared.square() / power.clamp_min(torch.finfo(x.dtype).tiny)
    taken = power - 2 * shared + kept
    share = rest.flatten(1).sum(1) / taken.flatten(1).sum(1)
    return share.nan_to_num(0.0).clamp(0, 1).view(-1, 1, 1, 1)
