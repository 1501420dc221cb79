"""A test image with every frequency in it."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def zone_plate(height: int, width: int) -> Tensor:
    """IMAGE [1, height, width, 3] in 0..1: rings that get finer from the middle to the longer side's border.

    There they have two pixels each, the finest there is. The channels are a sixth of a ring apart, which adds colors.
    """
    rows, columns = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in (height, width))
    phase = math.pi * (rows[:, None] ** 2 + columns**2) / max(height, width)
    rings = torch.stack([torch.cos(phase + k * math.pi / 3) for k in range(3)], -1)
    return (0.5 + 0.5 * rings).float()[None]
