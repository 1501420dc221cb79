"""The orthonormal cosine transform (DCT-II), whose basis goes on mirrored beyond an image's border."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from .banded import both_sides
from .rings import Rings


def cosines(size: int) -> Tensor:
    """[size, size], orthogonal, float64; row k has k half periods."""
    index = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * index[:, None] * (index + 0.5)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def cosine_eigenvalues(matrix: Tensor) -> Tensor | None:
    """Eigenvalues of a square matrix that is diagonal in this basis, to nine digits, by mode; None for any other.

    matrix: float64 on the CPU.
    """
    if matrix.shape[0] != matrix.shape[1]:
        return None
    basis = cosines(len(matrix))
    product = basis @ matrix @ basis.T
    eigenvalues = product.diagonal()
    if (product - eigenvalues.diag()).abs().max() > 1e-9 * eigenvalues.abs().max():
        return None
    return eigenvalues


class CosineBasis:
    """The orthonormal cosine transform (DCT-II) of planes of height x width."""

    def __init__(self, height: int, width: int, dtype: torch.dtype, device: torch.device):
        self.vertical, self.horizontal = (cosines(n).to(dtype).to(device) for n in (height, width))
        rows, columns = (torch.arange(n, dtype=torch.float64) / n for n in (height, width))
        radius = torch.hypot(rows[:, None], columns) * max(height, width)
        self.radius = radius.to(dtype).to(device)
        """Frequency of every mode, [H, W]; 1 is half a period over the longer side."""
        self.rings = Rings(radius, dtype, device)

    @classmethod
    def of(cls, x: Tensor) -> CosineBasis:
        """The basis of x's planes, kept for the next call."""
        return _basis(*x.shape[-2:], x.dtype, x.device)

    def transform(self, x: Tensor) -> Tensor:
        return both_sides(self.vertical, x, self.horizontal)

    def inverse(self, modes: Tensor) -> Tensor:
        return both_sides(self.vertical.T, modes, self.horizontal.T)


@lru_cache(maxsize=2)
def _basis(height: int, width: int, dtype: torch.dtype, device: torch.device) -> CosineBasis:
    with torch.inference_mode(False):  # so that it serves inside that mode and outside
        return CosineBasis(height, width, dtype, device)
