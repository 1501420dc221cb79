"""A network applied piece by piece: one picture of a batch after the other, and each tile by tile. Differentiable.

Only networks are cut. Data steps see whole pictures, so a seam that a network left would be met by the measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


class Piece(NamedTuple):
    """Which images of a batch, and which rows and columns of them."""

    items: slice
    rows: slice
    columns: slice

    def of(self, x: Tensor, scale: int = 1) -> Tensor:
        """The piece as a view. x [B, ..., scale h, scale w], where the piece counts in h and w."""
        return x[self.items, ..., _scaled(self.rows, scale), _scaled(self.columns, scale)]


@dataclass(frozen=True)
class Cut:
    """How a network's input is cut.

    size: of a tile, 0 for whole pictures. overlap: what neighbours share at least; of that, each weighs nothing on the
    `margin` at its border, where it does not see what the other sees, and between the margins their weights change
    over linearly. multiple: tiles begin and end at multiples of this, the network's stride, but for the last one,
    which ends with the picture. singly: one picture at a time. All in x's pixels.
    """

    size: int = 0
    overlap: int = 0
    margin: int = 0
    multiple: int = 1
    singly: bool = False

    def largest(self, batch: int, height: int, width: int) -> tuple[int, int, int]:
        """Images, height and width of the largest piece of so many pictures."""
        size = self.size or max(height, width)
        return 1 if self.singly else batch, min(size, height), min(size, width)

    def tiles(self, length: int, scale: int = 1) -> list[tuple[slice, Tensor]]:
        """Along an axis of so many pixels: the tiles, with weights that sum to one. scale: of the network's output, on
        whose pixels the weights are."""
        count, size = -(-length // self.multiple), self.size // self.multiple
        if not self.size or size >= count:
            return [(slice(0, length), torch.ones(scale * length))]
        shared = -(-self.overlap // self.multiple)
        steps = -(-(count - size) // (size - shared))
        starts = [self.multiple * round(i * (count - size) / steps) for i in range(steps + 1)]
        spans = [slice(start, min(start + self.size, length)) for start in starts]
        ramps = torch.zeros(len(spans), scale * length)
        for ramp, span in zip(ramps, spans, strict=True):
            inside = (torch.arange(scale * (span.stop - span.start)) + 0.5) / scale
            rise = self._ramp(inside) if span.start > 0 else torch.ones_like(inside)
            fall = self._ramp(inside.flip(0)) if span.stop < length else torch.ones_like(inside)
            ramp[_scaled(span, scale)] = torch.minimum(rise, fall)
        weights = ramps / ramps.sum(0)
        return [(span, weight[_scaled(span, scale)]) for span, weight in zip(spans, weights, strict=True)]

    def _ramp(self, distance: Tensor) -> Tensor:
        """From 0 to 1, by the distance to a border that has a neighbour."""
        return ((distance - self.margin) / max(self.overlap - 2 * self.margin, 1)).clamp(0, 1)


WHOLE = Cut()


def piecewise(
    network: Callable[[Tensor, Piece], Tensor], x: Tensor, cut: Cut, enter: int = 1, leave: int = 1
) -> Tensor:
    """network(piece of x, which piece): [b, C, ..., enter h, enter w] to [b, D, ..., leave h, leave w]; the cut counts
    in h and w. The pieces of a gradient are computed again in the backward pass, so that it holds one of them at a
    time. What is not cut is one call of the network, and nothing else."""
    height, width = (n // enter for n in x.shape[-2:])
    rows, columns = cut.tiles(height, leave), cut.tiles(width, leave)
    images = [slice(i, i + 1) for i in range(len(x))] if cut.singly else [slice(0, len(x))]
    if len(images) == len(rows) == len(columns) == 1:
        return network(x, Piece(images[0], rows[0][0], columns[0][0]))
    again = torch.is_grad_enabled() and x.requires_grad
    result = None
    for items, (row, down), (column, across) in product(images, rows, columns):
        piece = Piece(items, row, column)
        part = piece.of(x, enter)
        if again:
            made = checkpoint(network, part, piece, use_reentrant=False, preserve_rng_state=False)
        else:
            made = network(part, piece)
        if result is None:
            result = made.new_zeros(len(x), *made.shape[1:-2], leave * height, leave * width)
        piece.of(result, leave).add_(made * (down[:, None] * across).to(made))
    assert result is not None
    return result


def _scaled(span: slice, scale: int) -> slice:
    return slice(scale * span.start, scale * span.stop)


def choose(cuts: Sequence[Cut], fits: Callable[[Cut], bool], frugal: bool = False) -> Cut:
    """The first that fits, or the last; frugal: the last."""
    return cuts[-1] if frugal else next((cut for cut in cuts if fits(cut)), cuts[-1])


def cuts_of(
    picture: tuple[int, int],
    sizes: Iterable[int],
    overlap: Callable[[int], int],
    margin: int,
    multiple: int,
    by_hand: bool = False,
) -> list[Cut]:
    """From the fastest to the most sparing: whole pictures together, one by one, and in ever smaller tiles.

    sizes: of tiles, the largest first; those that a picture of this height and width does not exceed are left out.
    overlap: of tiles of a size. by_hand: whole pictures are only for those.
    """
    tiles = [Cut(size, overlap(size), margin, multiple) for size in sizes if size < max(picture)]
    singly = [replace(cut, singly=True) for cut in tiles]
    return [*tiles, *singly] if by_hand and tiles else [WHOLE, Cut(singly=True), *singly]
