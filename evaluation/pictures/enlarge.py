"""Enlarging by whole factors, which shows pixels as they are."""

import math

from torch import Tensor

LEAST_SIDE = 192  # pixels


def enlarge(images: Tensor, factor: int) -> Tensor:
    """[..., H, W, C] to [..., factor H, factor W, C]: every pixel becomes a square block."""
    return images.repeat_interleave(factor, -3).repeat_interleave(factor, -2)


def least_factor(side: int) -> int:
    """What brings a side to 192 pixels at least, so that there is room for text below."""
    return math.ceil(LEAST_SIDE / side)
