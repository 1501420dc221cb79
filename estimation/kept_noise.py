"""White noise that a JPEG has kept: it is in every block, also in those without detail."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MIDDLE, LOWER, UPPER = (4, 9), (4, 6), (7, 10)  # sums of a coefficient's two indices
SMOOTHEST, NORMAL = 0.03, -1.881  # part of the blocks, and where a normal variable has so much below
FLAT = 0.7  # noise in the upper band over that in the lower one; texture of clean photos reads up to 0.6
CERTAIN = 0.02  # std of luma; other clean photos read up to 0.016
FEWEST = 100  # blocks


def kept_noise(coefficients: Tensor, steps: Tensor) -> float | None:
    """Std of white noise in luma; None where what there is may be texture, or JPEG has taken it.

    coefficients: [n, 8, 8], orthonormal cosines of blocks; steps: [8, 8], which they were rounded to; in one unit.
    Rounding adds step^2 / 12 where the noise is larger than half a step.
    """
    if len(coefficients) < FEWEST:
        return None
    middle, lower, upper = (_std(coefficients, steps, *band) for band in (MIDDLE, LOWER, UPPER))
    return middle if middle >= CERTAIN and upper >= FLAT * lower else None


def _std(coefficients: Tensor, steps: Tensor, first: int, last: int) -> float:
    """From the smoothest blocks, by that half of the band's coefficients that has the finest steps."""
    place = torch.arange(8, device=steps.device)
    diagonal = place + place[:, None]
    band = (diagonal >= first) & (diagonal <= last)
    band &= steps <= steps[band].median()
    count = int(band.sum())
    # The quantile of chi^2 / count (Wilson and Hilferty 1931).
    share = (1 - 2 / (9 * count) + NORMAL * math.sqrt(2 / (9 * count))) ** 3
    power = coefficients[:, band].square().mean(1).quantile(SMOOTHEST) / share
    return math.sqrt(max(0.0, float(power - steps[band].square().mean() / 12)))
