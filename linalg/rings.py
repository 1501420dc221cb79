"""Sums over overlapping rings of frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PER_OCTAVE = 2
BLOCK = 256
LEAST_MODES = 32
"""Below that many, a ring's power by one probe is off by more than a quarter."""


class Rings:
    """Rings of a plane's modes about frequency 0, half an octave apart; a mode belongs to the two next to it in parts.

    radius: frequency of every mode, [H, W], float64 on the CPU. That of 0 belongs to no ring; below 1 counts as 1.

    Modes are gathered ring after ring, in blocks that lie within one: so all rings take a few operations, and sums are
    in an order that depends neither on the number of images nor on threads, nor on chance as adding by index on a GPU.
    """

    def __init__(self, radius: Tensor, dtype: torch.dtype, device: torch.device):
        position = PER_OCTAVE * radius.clamp_min(1).log2()
        last = max(1, math.ceil(float(position.max())))
        lower = position.floor().long().clamp_max(last - 1)
        places, owners = [], []
        for ring in range(last):
            modes = ((lower == ring) & (radius > 0)).flatten().nonzero()[:, 0]
            count = max(1, math.ceil(len(modes) / BLOCK))
            places.append(torch.cat([modes, modes.new_zeros(count * BLOCK - len(modes))]))
            owners += [ring] * count
        place, owner = torch.cat(places), torch.tensor(owners)
        part = (position - lower).flatten()[place]
        parts = torch.stack([1 - part, part]) * (radius.flatten()[place] > 0)
        rings = torch.arange(last + 1)[:, None]
        blocks = torch.cat([rings == owner, rings == owner + 1], 1)
        self._lower, self._place = lower.to(device), place.to(device)
        self._part = (position - lower).to(dtype).to(device)
        self._parts = parts.view(2, -1, BLOCK).to(dtype).to(device)
        self._blocks = blocks.to(dtype).to(device)

    def sums(self, modes: Tensor) -> Tensor:
        """[..., H, W] to [..., rings]."""
        place = self._place.expand(*modes.shape[:-2], -1)
        gathered = modes.flatten(-2).gather(-1, place).unflatten(-1, (1, -1, BLOCK))
        blocks = (gathered * self._parts).sum(-1).flatten(-2)
        return (blocks[..., None, :] * self._blocks).sum(-1)

    def between(self, values: Tensor) -> Tensor:
        """Values of the rings, [..., rings], interpolated at every mode: [..., H, W]."""
        return torch.lerp(values[..., self._lower], values[..., self._lower + 1], self._part)


def pooled(sums: Tensor) -> Tensor:
    """Sums over rings, [quantities, B, C, rings], the first that of 1: the lowest rings go together until they hold
    LEAST_MODES."""
    few = int((sums[0, 0, 0].cumsum(-1) < LEAST_MODES).sum()) + 1
    lowest = sums[..., :few].sum(-1, keepdim=True).expand(*sums.shape[:-1], few)
    return torch.cat([lowest, sums[..., few:]], -1)
