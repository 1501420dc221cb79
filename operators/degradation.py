"""What a person connects in a graph: a small description, from which an operator is built for an image's size.

Descriptions are frozen dataclasses of plain numbers, strings and bytes. They hash and compare by content and pickle
without torch, so a host can cache and share them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial

import torch

from .base import Operator
from .space import Space


@dataclass(frozen=True)
class Degradation(ABC):
    """How an image was damaged, apart from its size and from the noise.

    Impossible settings raise ValueError when the description is made, or in `build` when they do not fit the image.
    """

    def build(
        self,
        channels: int,
        height: int,
        width: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> Operator:
        """The operator for images [B, channels, height, width]; dtype float32 unless given.

        The host runs nodes under inference mode, whose tensors cannot take part in a backward pass; an operator is
        needed there, so it is built outside that mode.
        """
        if min(height, width) < 1:
            raise ValueError(f"The image would be {width}x{height} pixels: give a larger measurement.")
        space = Space(channels, height, width, torch.device(device), dtype or torch.float32)
        with torch.inference_mode(False):
            operator = self._build(space)
        operator.rebuild = partial(self.build, channels, height, width, device)
        return operator

    @abstractmethod
    def _build(self, space: Space) -> Operator: ...

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the image that a measurement of this height and width speaks of."""
        return height, width

    def view(self, measurement: torch.Tensor) -> torch.Tensor:
        """A measurement [B, h, w, c] as something to look at in 0..1, where it is not a picture itself."""
        return measurement

    @abstractmethod
    def describe(self) -> str:
        """One line for a person."""
