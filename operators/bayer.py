"""Demosaicing: behind its mosaic of color filters, a camera's sensor measured one color at each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from .colorization import Grey
from .degradation import Degradation
from .space import Space

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


@dataclass(frozen=True)
class BayerMosaic(Degradation):
    """Red, green or blue of every pixel, in one channel, as a raw file has them (Bayer, US patent 3971065, 1976).

    pattern: colors of the upper left 2 x 2 pixels, row by row, which the others repeat.
    """

    pattern: str = "RGGB"

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"There is no Bayer pattern {self.pattern!r}: use one of {', '.join(PATTERNS)}.")

    def _build(self, space: Space) -> Mosaic:
        if space.channels != 3:
            raise ValueError(f"The image has {space.channels} channels, but a Bayer mosaic needs 3: give it as RGB.")
        square = torch.tensor(["RGB".index(color) for color in self.pattern]).view(2, 2)
        colors = square[torch.arange(space.height)[:, None] % 2, torch.arange(space.width) % 2]
        return Mosaic(space, one_hot(colors, 3).movedim(-1, 0).to(space.dtype))

    def describe(self) -> str:
        return f"Bayer mosaic ({self.pattern})"


class Mosaic(Grey):
    """y = w^T x, where w picks the color that was measured at the pixel: A A^T = I."""

    orthonormal_rows = True

    def _initial_guess(self, y: Tensor) -> Tensor:
        """Bilinear demosaicing: each color that was not measured is the mean of where it was among 3 x 3 pixels.

        In an image one pixel wide or high, where it was nowhere, it is grey.
        """
        share = avg_pool2d(self.weights, 3, 1, 1)
        mean = avg_pool2d(y * self.weights, 3, 1, 1) / share
        return torch.where(self.weights > 0, y, torch.where(share > 0, mean, y))
