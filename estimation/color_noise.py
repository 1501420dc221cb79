"""How noisy a color photo is, from patches of all its channels: what is detail has one color, what is noise has any."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import unfold

SIDE = 5  # of a patch, in pixels
MOST = 2**16  # patches, which bound the time
LEAST = 3  # patches for each of a patch's values


def color_noise(image: Tensor, hidden: Tensor) -> float | None:
    """Std of white noise, alike in all channels, in units of the image; None where too little of it is seen.

    By the eigenvalues of the covariance of patches, the smallest of which hold noise alone: of the largest set of the
    smallest whose mean is no more than its median, the mean is the variance (Chen, Zhu and Heng, "An efficient
    statistical method for image noise level estimation", ICCV 2015). A patch spans the channels too: texture is nearly
    the same in all of them, so that it does not count as noise. Noise that is the same in all channels is not seen, and
    noise that was smoothed, or is stronger in some channels, not in full: a lower bound then.

    image: [3, H, W]. hidden: bool [H, W]; patches that touch it are left out.
    """
    stride = max(1, math.ceil(math.sqrt(hidden.numel() / MOST)))
    if min(hidden.shape) < SIDE:
        return None
    touched = unfold(hidden[None, None].double(), SIDE, stride=stride)[0].amax(0) > 0
    patches = unfold(image[None].double(), SIDE, stride=stride)[0][:, ~touched]
    values, count = patches.shape
    if count < LEAST * values:
        return None
    patches = patches - patches.mean(1, keepdim=True)
    variances = torch.linalg.eigvalsh(patches @ patches.T / count)  # ascending
    for n in range(values, 0, -1):
        smallest = variances[:n]
        if smallest.median() >= smallest.mean():
            break
    return float(smallest.mean().clamp_min(0).sqrt())
