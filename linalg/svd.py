"""Singular value decompositions of small matrices, and which singular values count as zero."""

from __future__ import annotations

import torch
from torch import Tensor

RCOND = 1e-6
"""Singular values below this part of the largest count as zero in a pseudo-inverse. It is what float32 can resolve and
leaves A A^+ A = A well within 1e-5."""


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, s, V with matrix = U diag(s) V^T; by the faster symmetric eigendecomposition where there is one."""
    if matrix.shape[0] == matrix.shape[1] and torch.allclose(matrix, matrix.T, rtol=0, atol=1e-14):
        values, vectors = torch.linalg.eigh(matrix)
        return vectors, values.abs(), torch.where(values < 0, -vectors, vectors)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    return u, s, vt.T


def reciprocal(values: Tensor, cutoff: float) -> Tensor:
    """1 / values, and 0 where a value is below `cutoff` times the largest of its plane."""
    return torch.where(values > cutoff * values.amax((-2, -1), keepdim=True), 1 / values, 0.0)
