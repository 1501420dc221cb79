"""What a batch of posterior samples says about the image: its mean, and where the samples disagree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from .quality import floating


class Uncertainty(NamedTuple):
    """mean: [1, H, W, C], an estimate of the posterior mean. std_map: [1, H, W, 3], 0..1, white at `scale`.

    scale: the standard deviation, in units of the 0..1 range, that is shown as white.
    """

    mean: Tensor
    std_map: Tensor
    scale: float
    text: str


def uncertainty(samples: Tensor) -> Uncertainty:
    """samples: IMAGE [B, H, W, C] of at least two samples of one image, not clipped.

    The map shows the unbiased standard deviation of each pixel, averaged over channels; its 99th percentile is white
    (its maximum, where fewer pixels than that vary at all). Samples that are all the same give a black map.
    """
    if len(samples) < 2:
        raise ValueError("Uncertainty needs at least two samples of the image: raise the number of samples.")
    samples = floating(samples)
    std = samples.std(dim=0).mean(dim=-1)
    scale = float(np.quantile(std.numpy(force=True), 0.99)) or float(std.max())
    shown = (std / scale).clamp(0, 1) if scale > 0 else std
    text = f"mean standard deviation {float(std.mean()):.4f} over {len(samples)} samples; white is {scale:.4f}"
    return Uncertainty(samples.mean(dim=0, keepdim=True), shown[None, ..., None].expand(-1, -1, -1, 3), scale, text)
