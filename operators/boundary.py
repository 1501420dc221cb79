"""What lies beyond an image's border."""

from __future__ import annotations

import torch
from torch import Tensor

BOUNDARIES = ("reflect", "circular", "zero", "replicate")


def check_boundary(boundary: str) -> None:
    """Raises ValueError for one that there is not."""
    if boundary not in BOUNDARIES:
        raise ValueError(f"There is no boundary {boundary!r}: use one of {', '.join(BOUNDARIES)}.")


def sampling_matrix(positions: Tensor, weights: Tensor, size: int, boundary: str) -> Tensor:
    """Matrix [n, size] whose row i adds up weights[i] at positions[i], for a signal continued by `boundary`.

    positions: integers [n, k], which may lie outside 0..size-1 by any distance. weights: [n, k].
    Boundaries, with NumPy's names for them: reflect = symmetric (the edge sample is repeated), circular = wrap,
    zero = constant 0, replicate = edge.
    """
    if boundary == "reflect":
        positions = positions % (2 * size)
        positions = torch.minimum(positions, 2 * size - 1 - positions)
    elif boundary == "circular":
        positions = positions % size
    else:
        if boundary == "zero":
            weights = weights * ((positions >= 0) & (positions < size))
        positions = positions.clamp(0, size - 1)
    return weights.new_zeros(len(weights), size).scatter_add(1, positions, weights)
