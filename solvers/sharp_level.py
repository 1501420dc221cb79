"""How far stage 2 has to go back for samples that are nearly as sharp as the posterior's own.

Sharpness, the mean absolute difference of neighbouring pixels, rises with the level, from the estimate's to that of
samples of the whole posterior. The level is the least that brings PART of the difference back, searched for by samples:
on photos no formula is right, since what a sample has of the estimate's smooth places depends on more than variances.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

PART = 0.9
SEARCHES = 5
"""Halvings of the range of log sigma*, which is 7 wide: to within a third of an octave."""


def sharp_sigma(estimate: Tensor, sampled: Callable[[float], Tensor], smallest: float, largest: float) -> float:
    """sigma* in model units, between the two bounds. estimate: [B, H, W, C], pictures; sampled: samples from a sigma*,
    shaped like them, of which the batch's mean counts."""
    least = sharpness(estimate)
    goal = least + PART * (sharpness(sampled(largest)) - least)
    low, high = math.log(smallest), math.log(largest)
    for _ in range(SEARCHES):
        middle = (low + high) / 2
        if sharpness(sampled(math.exp(middle))) < goal:
            low = middle
        else:
            high = middle
    return math.exp(high)


def sharpness(pictures: Tensor) -> float:
    return float(pictures.diff(dim=1).abs().mean() + pictures.diff(dim=2).abs().mean())
