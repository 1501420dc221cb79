"""A light sheet to draw on with Pillow: smooth shapes, crisp text, and an IMAGE tensor at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Color = tuple[int, int, int]
Point = tuple[float, float]
Shape = Literal["disc", "square", "diamond"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Color = (252, 252, 250)
INK: Color = (32, 36, 43)
FAINT_INK: Color = (99, 106, 117)
GRID: Color = (228, 231, 235)
FRAME: Color = (172, 178, 187)
BLUE: Color = (31, 98, 178)
ORANGE: Color = (217, 95, 30)


@lru_cache
def font(size: int) -> Font:
    """Pillow's own font (10.1 or newer), so that the pack ships none. It has ASCII and little else."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> int:
    return round(font(size).getlength(text))


def from_pillow(picture: Image.Image) -> Tensor:
    """A Pillow RGB picture as IMAGE [1, H, W, 3]."""
    return torch.from_numpy(np.array(picture, np.float32) / 255)[None]


def to_rgb(image: Tensor) -> Tensor:
    """[..., C] as RGB [..., 3], clipped to 0..1, float32 on the CPU. Gray fills all channels; alpha is dropped."""
    rgb = image[..., :3].detach().to("cpu", torch.float32).clamp(0, 1)
    return rgb.expand(*rgb.shape[:-1], 3)


def blend(start: Color, end: Color, amount: float) -> Color:
    red, green, blue = (round(a + (b - a) * amount) for a, b in zip(start, end, strict=True))
    return red, green, blue


class Canvas:
    """Coordinates and widths are in pixels of the finished picture and need not be whole.

    Shapes are drawn at `supersampling` times the size and averaged. Text, which Pillow smooths itself, comes on top of
    all shapes.
    """

    def __init__(self, width: int, height: int, supersampling: int = 4):
        self._scale = supersampling
        self._picture = Image.new("RGB", (width * self._scale, height * self._scale), PAPER)
        self._draw = ImageDraw.Draw(self._picture)
        self._texts: list[tuple[Point, str, Color, Font, str, int]] = []

    def line(self, points: Sequence[Point], color: Color, width: float) -> None:
        self._draw.line([self._scaled(p) for p in points], color, round(width * self._scale), joint="curve")

    def dashes(self, start: Point, end: Point, color: Color, width: float, dash: float = 9) -> None:
        """A horizontal or vertical dashed line."""
        (x0, y0), (x1, y1) = start, end
        count = int(max(abs(x1 - x0), abs(y1 - y0)) // dash)
        at = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
        for pair in zip(at[::2], at[1::2], strict=False):
            self.line(pair, color, width)

    def polygon(self, points: Sequence[Point], fill: Color) -> None:
        self._draw.polygon([self._scaled(p) for p in points], fill)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: Color) -> None:
        """Nothing, if it is thinner than a dot."""
        last = 1 / self._scale  # Pillow's rectangles include their last row and column
        if x1 - x0 >= last and y1 - y0 >= last:
            self._draw.rectangle([*self._scaled((x0, y0)), *self._scaled((x1 - last, y1 - last))], fill)

    def marker(self, center: Point, radius: float, fill: Color, shape: Shape = "disc") -> None:
        """With a rim of paper, so that it stands out on a line."""
        for r, color in ((radius + 2.5, PAPER), (radius, fill)):
            if shape == "disc":
                corner, opposite = (center[0] - r, center[1] - r), (center[0] + r, center[1] + r)
                self._draw.ellipse([*self._scaled(corner), *self._scaled(opposite)], color)
                continue
            turn = 0 if shape == "diamond" else 0.25
            corners = [np.pi * (turn + k / 2) for k in range(4)]
            self.polygon([(center[0] + r * np.cos(a), center[1] + r * np.sin(a)) for a in corners], color)

    def text(
        self, position: Point, text: str, size: int, color: Color = INK, anchor: str = "ls", halo: int = 0
    ) -> None:
        """anchor as Pillow's: l, m or r, then a (top), m (middle) or s (baseline). halo: width of paper around it."""
        self._texts.append((position, text, color, font(size), anchor, halo))

    def image(self) -> Tensor:
        """IMAGE [1, H, W, 3]."""
        picture = self._picture.reduce(self._scale)
        draw = ImageDraw.Draw(picture)
        for position, text, color, face, anchor, halo in self._texts:
            draw.text(position, text, color, face, anchor, stroke_width=halo, stroke_fill=PAPER)
        return from_pillow(picture)

    def _scaled(self, point: Point) -> Point:
        return point[0] * self._scale, point[1] * self._scale
