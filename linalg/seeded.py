"""Random numbers that are the same on every machine and with every version of NumPy.

NumPy promises that for the raw bits of a generator, but for none of its distributions.
"""

from __future__ import annotations

import numpy as np


def uniform(seed: int, *shape: int) -> np.ndarray:
    """float64 in [0, 1), 53 random bits each. seed: 0 to 2^64 - 1, or above."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(11)) * 2.0**-53).reshape(shape)
