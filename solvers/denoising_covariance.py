"""How uncertain a denoised image is, read off the denoiser's own output."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis
from ..linalg.dot import dot
from ..linalg.stationary import Stationary

KNOTS_PER_OCTAVE = 2


def denoising_covariance(x: Tensor, denoised: Tensor, sigma: float) -> Stationary:
    """The stationary part of Cov[x0 | x], read off one call of a denoiser: denoised = E[x0 | x], x = x0 + sigma * eps.

    With c(f) the power of x0 at frequency f, <denoised, x> = <x0, x> = c and <x, x> = c + sigma^2 on average, so that

        sigma^2 <denoised, x> / <x, x> = sigma^2 c / (c + sigma^2),

    the error of the best linear denoiser. The products are summed over channels and over rings of frequencies half an
    octave wide, without the mean of each channel, which holds that of the prior too.
    """
    basis = CosineBasis.of(x)
    modes = basis.transform(x)
    shared = (modes * basis.transform(denoised)).sum(1)
    total = modes.square().sum(1)
    position = KNOTS_PER_OCTAVE * basis.radius.clamp_min(1).log2()
    last = math.ceil(float(position.max()))
    gains = []
    for knot in range(last + 1):
        weight = (1 - (position - knot).abs()).clamp_min(0) * (basis.radius > 0)
        parts = dot(shared, weight).flatten(), dot(total, weight).flatten()
        gains.append(parts[0] / parts[1].clamp_min(torch.finfo(x.dtype).tiny))
    gain = torch.stack(gains, 1).clamp(0, 1)
    lower = position.floor().long().clamp_max(last - 1)
    power = torch.lerp(gain[:, lower], gain[:, lower + 1], position - lower)
    return Stationary(basis, sigma**2 * power[:, None])
