"""The orthonormal cosine transform (DCT-II), whose basis goes on mirrored beyond an image's border."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosines(size: int) -> Tensor:
    """[size, size], orthogonal, float64; row k has k half periods."""
    index = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * index[:, None] * (index + 0.5)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
