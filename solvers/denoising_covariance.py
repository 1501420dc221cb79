"""How uncertain a denoised image is, read off the denoiser's own output."""

from __future__ import annotations

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis
from ..linalg.stationary import Stationary
from .opponent import opponent


def denoising_covariance(x: Tensor, denoised: Tensor, sigma: float) -> Stationary:
    """The stationary part of Cov[x0 | x], read off one call of a denoiser: denoised = E[x0 | x], x = x0 + sigma * eps.

    With c(f) the power of x0 at frequency f, <denoised, x> = <x0, x> = c and <x, x> = c + sigma^2 on average, so that

        sigma^2 <denoised, x> / <x, x> = sigma^2 c / (c + sigma^2),

    the error of the best linear denoiser. The products are summed over rings of frequencies half an octave wide,
    without the mean of each channel, which holds that of the prior too. Of colors, brightness and two differences have
    powers of their own. Against channels that are independent and alike, as those of latents are taken to be (theirs
    is no better by channel or by principal axis), that takes a fifth off the squared error where pixels are missing.
    """
    basis = CosineBasis.of(x)
    mixing = opponent(x) if x.shape[1] == 3 else None
    probed = Stationary(basis, x.new_ones(1, 1, 1, 1), mixing)
    noisy, clean = probed.modes(x), probed.modes(denoised)
    products = torch.stack([clean * noisy, noisy.square()], 1)
    if mixing is None:
        products = products.sum(2, keepdim=True)
    shared, total = basis.rings.sums(products).unbind(1)
    gain = (shared / total.clamp_min(torch.finfo(x.dtype).tiny)).clamp(0, 1)
    return Stationary(basis, sigma**2 * basis.rings.between(gain), mixing)
