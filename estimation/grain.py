"""Noise of a plane without color, where it is strong enough to stand out from texture."""

from __future__ import annotations

import math

from torch import Tensor

from .softness import LEAST_SIDE, ring_powers

MIDDLE, HIGH = (0.25, 0.35), (0.42, 0.5)  # cycles per pixel
SLOW = 0.4  # power on the high ring over that on the middle one of photos whose detail falls slowly
CERTAIN = 0.03  # std; clean photos read up to 0.028


def grain(plane: Tensor) -> float | None:
    """Std of white noise; None where what there is may be texture as well.

    The power spectrum of photos goes on falling up to the highest frequencies, while that of white noise is flat: what
    the high ring has beyond SLOW times the middle one is noise. As many photos fall faster, this is a lower bound.

    plane: [H, W] in 0..1.
    """
    if min(plane.shape) < LEAST_SIDE:
        return None
    radius, power = ring_powers(plane.double())
    middle, high = (power[(radius > low) & (radius < top)].mean() for low, top in (MIDDLE, HIGH))
    std = math.sqrt(max(0.0, float(high - SLOW * middle) / (1 - SLOW)))
    return std if std >= CERTAIN else None
