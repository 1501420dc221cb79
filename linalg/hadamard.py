"""The Walsh-Hadamard transform."""

from __future__ import annotations

import torch
from torch import Tensor


def walsh_hadamard(x: Tensor, size: int) -> Tensor:
    """Orthonormal Walsh-Hadamard transform of every `size` numbers along the last side, in natural order.

    size: a power of two. By butterflies, in size * log2(size) additions.
    """
    whole, reach = x.shape, 1
    while reach < size:
        first, second = x.reshape(*whole[:-1], -1, 2, reach).unbind(-2)
        x = torch.stack((first + second, first - second), -2)
        reach *= 2
    return x.reshape(whole) * size**-0.5
