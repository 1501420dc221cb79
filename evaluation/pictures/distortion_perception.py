"""The curve that the renoise level walks along: distortion against perception, from the MAP to a posterior sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from .axes import TICK_SIZE, Axes, nice_ticks, padded, tick_labels
from .canvas import FAINT_INK, FRAME, Canvas, Shape, text_width
from .colormap import color
from .labels import Labels

WIDTH, HEIGHT = 1000, 720
X_TITLE = "perception: gradient distance (lower is better)"
Y_TITLES = {"RMSE": "distortion: RMSE (lower is better)", "PSNR": "distortion: PSNR in dB (higher is better)"}

# Of the ends, by level.
NAMES: dict[float, str] = {0: "0: MAP estimate", 1: "1: posterior sample"}
SHAPES: dict[float, Shape] = {0: "square", 1: "diamond"}
RADII: dict[float, int] = {0: 11, 1: 12}


class TraversalPoint(NamedTuple):
    """One restoration measured against a reference.

    renoise: its level, 0..1. perception: its gradient distance. distortion: its RMSE, or its PSNR in dB.
    """

    renoise: float
    perception: float
    distortion: float


def distortion_perception_plot(
    points: Sequence[TraversalPoint], distortion: Literal["RMSE", "PSNR"] = "RMSE"
) -> Tensor:
    """IMAGE [1, 720, 1000, 3]: perception to the right, distortion upwards, joined in order of renoise level.

    Every point is labelled by its level, where there is room. The MAP end (0) is a square and the full posterior sample
    (1) a diamond; the color runs from violet to orange in order of level. Points that are not finite (the PSNR of a
    perfect restoration) are left out.
    """
    points = sorted(p for p in points if math.isfinite(p.perception) and math.isfinite(p.distortion))
    x_range = padded([p.perception for p in points], 0.12)
    y_range = padded([p.distortion for p in points], 0.12)
    x_ticks, y_ticks = nice_ticks(*x_range, 7), nice_ticks(*y_range, 6)

    margin = 44 + max(text_width(label, TICK_SIZE) for label in tick_labels(y_ticks))
    axes = Axes(margin, 80, WIDTH - 40, HEIGHT - 104, x_range, y_range)
    canvas = Canvas(WIDTH, HEIGHT)
    axes.draw_y(canvas, y_ticks)
    axes.draw_x(canvas, x_ticks, tick_labels(x_ticks))
    axes.draw_titles(canvas, X_TITLE, Y_TITLES[distortion])
    canvas.text((axes.right, axes.top - 18), "labels: renoise level", TICK_SIZE, FAINT_INK, "rs")

    places = [axes.point(p.perception, p.distortion) for p in points]
    if len(places) > 1:
        canvas.line(places, FRAME, 3)
    labels = Labels(places, (axes.left, axes.top, axes.right, axes.bottom))
    ends_first = sorted(range(len(points)), key=lambda k: points[k].renoise not in NAMES)
    for k in reversed(ends_first):
        level = points[k].renoise
        hue = color(0.2 + 0.55 * k / len(points))
        canvas.marker(places[k], RADII.get(level, 8), hue, SHAPES.get(level, "disc"))
    for k in ends_first:
        text = NAMES.get(points[k].renoise, f"{points[k].renoise:g}")
        box = labels.place(places[k], text_width(text, TICK_SIZE) + 6, TICK_SIZE)
        if box:
            left, top, right, bottom = box
            canvas.text(((left + right) / 2, (top + bottom) / 2), text, TICK_SIZE, anchor="mm", halo=3)
    return canvas.image()
