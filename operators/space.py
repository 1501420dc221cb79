"""Which images an operator is for, and where and in which numbers it works."""

from __future__ import annotations

from dataclasses import dataclass

import torch

Shape = tuple[int, int, int]
"""Channels, height, width."""


@dataclass(frozen=True)
class Space:
    """Images [B, channels, height, width] on one device and in one floating point type."""

    channels: int
    height: int
    width: int
    device: torch.device
    dtype: torch.dtype

    @property
    def shape(self) -> Shape:
        return self.channels, self.height, self.width
