"""One pair of axes: where a value lies on the canvas, and the ticks, grid and titles around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from .canvas import FAINT_INK, FRAME, GRID, INK, Canvas, Point

TICK_SIZE = 20
TITLE_SIZE = 22


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 x 10^k that cuts span into at most so many steps."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 5) if m * power >= rough * (1 - 1e-9)), 10 * power)


def round_up(value: float) -> float:
    """The smallest of 1, 2, 5 x 10^k that is at least value; 1 for 0."""
    return nice_step(value, 1) if value > 0 else 1.0


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """The multiples of a nice step in low..high, with at most so many steps between them; some, where most >= 3."""
    step = nice_step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """All with the fewest decimals that give each of them."""
    close = 1e-6 * (ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1)
    decimals = next(d for d in count() if all(abs(round(tick, d) - tick) < close for tick in ticks))
    return [f"{round(tick, decimals) + 0.0:.{decimals}f}" for tick in ticks]


def padded(values: Sequence[float], share: float) -> tuple[float, float]:
    """The range of values, widened on either side by a share of it, and never so narrow that rounding errors show.

    0..1 for no values.
    """
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    span = max(high - low, 0.02 * max(abs(low), abs(high))) or 1.0
    middle = (low + high) / 2
    half = span * (0.5 + share)
    return middle - half, middle + half


@dataclass(frozen=True)
class Axes:
    """The rectangle left, top, right, bottom of a canvas shows x_range times y_range, y upwards."""

    left: float
    top: float
    right: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def point(self, x: float, y: float) -> Point:
        return self.x(x), self.y(y)

    def draw_x(self, canvas: Canvas, ticks: Sequence[float], labels: Sequence[str], grid: bool = True) -> None:
        """The line below, with ticks and their labels."""
        for tick, label in zip(ticks, labels, strict=True):
            x = round(self.x(tick))
            if grid:
                canvas.rectangle(x, self.top, x + 1, self.bottom, GRID)
            canvas.rectangle(x, self.bottom, x + 1, self.bottom + 7, FRAME)
            canvas.text((x, self.bottom + 13), label, TICK_SIZE, FAINT_INK, "ma")
        canvas.rectangle(self.left, self.bottom, self.right, self.bottom + 1, FRAME)

    def draw_y(self, canvas: Canvas, ticks: Sequence[float]) -> None:
        """Horizontal grid lines, labelled at the left."""
        for tick, label in zip(ticks, tick_labels(ticks), strict=True):
            y = round(self.y(tick))
            canvas.rectangle(self.left, y, self.right, y + 1, GRID)
            canvas.text((self.left - 12, y), label, TICK_SIZE, FAINT_INK, "rm")

    def draw_titles(self, canvas: Canvas, x: str, y: str) -> None:
        """y's title lies flat above the axis, where it is read without tilting the head."""
        canvas.text((self.left, self.top - 18), y, TITLE_SIZE, INK, "ls")
        canvas.text(((self.left + self.right) / 2, self.bottom + 48), x, TITLE_SIZE, INK, "ma")
