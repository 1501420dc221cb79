"""Compressed sensing: fewer numbers than pixels, each a sum of many pixels with signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..linalg.hadamard import walsh_hadamard
from ..linalg.seeded import uniform
from .degradation import Degradation
from .inpainting import Selection
from .space import Space

BLOCKS = (0, 8, 16, 32, 64)


@dataclass(frozen=True)
class CompressedSensing(Degradation):
    """One in `ratio` coefficients of a Walsh-Hadamard transform of the scrambled pixels, the same in every channel.

    block: 0 transforms the whole image at once; 8 to 64 transforms blocks of that many pixels square, each by itself
    (Gan, "Block compressed sensing of natural images", DSP 2007). Within a block, or the image, pixels are permuted at
    random first.
    rows: random keeps coefficients at random, with the sum of every block always among them; first keeps the first
    1 / ratio of every transform. DDRM (Kawar et al., NeurIPS 2022) and its kin keep random ones of the whole image, of
    pixels that are not permuted.

    A transform exists for powers of two. Other numbers of pixels are cut into powers of two, such as 13 = 8 + 4 + 1,
    each transformed by itself, in place of padding with zeros, after which A A^T would no longer be the identity: a
    scrambled block Hadamard ensemble in the sense of Gan, Do and Tran (EUSIPCO 2008). So the rows of A are orthonormal
    for every size, and white noise on the measurement is white noise of the same std on the coefficients.

    The measurement has the size of the image: coefficients in place of pixels, block by block, and zeros for those that
    were not measured.
    """

    ratio: float = 2.0
    block: int = 0
    rows: str = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.ratio <= 64:
            raise ValueError(f"The compression ratio is {self.ratio}: use 1 to 64 times fewer numbers than pixels.")
        if self.block not in BLOCKS:
            raise ValueError(f"The block size is {self.block}: use {', '.join(map(str, BLOCKS))} (0 = no blocks).")
        if self.rows not in ("random", "first"):
            raise ValueError(f"There is no choice of rows {self.rows!r}: use random or first.")

    def _build(self, space: Space) -> SampledHadamard:
        scramble, chance = uniform(self.seed, 2, space.height * space.width)
        block = _blocks(space.height, space.width, self.block)
        source = np.lexsort((scramble, block))  # pixels block by block, scrambled within
        place = np.argsort(block, kind="stable")  # and where their coefficients go
        sizes, row = (np.concatenate(v) for v in zip(*map(_split, np.bincount(block).tolist()), strict=True))
        if self.rows == "first":
            known = row * self.ratio < sizes
        else:
            chance[np.flatnonzero(np.diff(block[place], prepend=-1))] = -1  # the sum of a block comes first
            known = np.zeros(len(row), bool)
            known[np.argsort(chance, kind="stable")[: max(1, round(len(row) / self.ratio))]] = True
        by_size = np.argsort(-sizes, kind="stable")  # so that equal sizes are transformed at once
        runs = [(int(n), int((sizes == n).sum())) for n in np.unique(sizes)[::-1]]
        picture = np.empty_like(known)
        picture[place] = known
        return SampledHadamard(
            space,
            torch.from_numpy(picture).view(1, 1, space.height, space.width),
            torch.from_numpy(source[by_size]),
            torch.from_numpy(place[by_size]),
            runs,
        )

    def view(self, measurement: Tensor) -> Tensor:
        return measurement + 0.5  # coefficients have both signs

    def describe(self) -> str:
        where = f"in blocks of {self.block}x{self.block}" if self.block else "of the whole image"
        return f"compressed sensing x{self.ratio:g}, Walsh-Hadamard {where}, {self.rows} rows, seed {self.seed}"


class SampledHadamard(Selection):
    """A = diag(known) T, with T orthonormal: gather the pixels, transform runs of them, put the coefficients in place.

    source, place: permutations of the pixels. runs: (size of a transform, number of pixels so transformed).
    """

    def __init__(self, space: Space, known: Tensor, source: Tensor, place: Tensor, runs: list[tuple[int, int]]):
        super().__init__(space, known)
        self._source, self._from_source = source.to(space.device), source.argsort().to(space.device)
        self._place, self._to_place = place.to(space.device), place.argsort().to(space.device)
        self._runs = runs

    def _forward(self, x: Tensor) -> Tensor:
        coefficients = self._transform(_pick(x.flatten(2), self._source))
        return self._keep(_pick(coefficients, self._to_place).view_as(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        pixels = self._transform(_pick(self._keep(y).flatten(2), self._place))  # symmetric
        return _pick(pixels, self._from_source).view_as(y)

    def _transform(self, x: Tensor) -> Tensor:
        parts = x.split([count for _, count in self._runs], 2)
        return torch.cat([walsh_hadamard(v, n) for v, (n, _) in zip(parts, self._runs, strict=True)], 2)


def _pick(x: Tensor, order: Tensor) -> Tensor:
    """x[..., order] for x [B, C, N]; by gather, which on the CPU is twenty times faster than index_select."""
    return x.gather(2, order.expand_as(x))


def _blocks(height: int, width: int, size: int) -> np.ndarray:
    """Number of the block that each pixel lies in, row by row. Size 0 is one block."""
    if size == 0:
        return np.zeros(height * width, np.int64)
    across = -(-width // size)
    return (np.arange(height)[:, None] // size * across + np.arange(width) // size).ravel()


def _split(pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The powers of two that add up to `pixels`, largest first: size of the transform of each, and its row there."""
    powers = [2**k for k in reversed(range(pixels.bit_length())) if pixels >> k & 1]
    return np.concatenate([np.full(n, n) for n in powers]), np.concatenate([np.arange(n) for n in powers])
