"""A network applied tile by tile, the tiles blended where they overlap. Differentiable."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def blend_tiles(network: Callable[[Tensor], Tensor], x: Tensor, size: int, overlap: int, scale: int) -> Tensor:
    """network: [B, C, h, w] to [B, D, scale h, scale w]; size, overlap: of a tile, in x's pixels.

    Each tile's weight falls linearly to zero across what it shares with a neighbour, and the weights sum to one.
    """
    height, width = x.shape[-2:]
    whole, weights = x.new_zeros(()), x.new_zeros(())
    for top in _starts(height, size, overlap):
        for left in _starts(width, size, overlap):
            tile = network(x[..., top : top + size, left : left + size])
            rows, columns = (n // scale for n in tile.shape[-2:])
            weight = _ramp(top, rows, height, overlap, scale)[:, None] * _ramp(left, columns, width, overlap, scale)
            weight = weight.to(tile)
            frame = (scale * left, scale * (width - left - columns), scale * top, scale * (height - top - rows))
            whole = whole + torch.nn.functional.pad(tile * weight, frame)
            weights = weights + torch.nn.functional.pad(weight, frame)
    return whole / weights


def _starts(length: int, size: int, overlap: int) -> list[int]:
    """Where tiles begin, evenly spread, at least `overlap` shared."""
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(i * (length - size) / (count - 1)) for i in range(count)]


def _ramp(start: int, size: int, length: int, overlap: int, scale: int) -> Tensor:
    """Rises from a border that has a neighbour, and falls towards one."""
    position = (torch.arange(size * scale) + 0.5) / (overlap * scale)
    rise = position if start > 0 else torch.ones(size * scale)
    fall = position.flip(0) if start + size < length else torch.ones(size * scale)
    return torch.minimum(rise, fall).clamp(max=1)
