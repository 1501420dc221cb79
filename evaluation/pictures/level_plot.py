"""Quantities against the renoise level: what can be said of a traversal without a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from .axes import TICK_SIZE, Axes, nice_ticks, padded, tick_labels
from .canvas import BLUE, FAINT_INK, ORANGE, Canvas, text_width

WIDTH, PANEL, TOP, BETWEEN, FOOT = 1000, 230, 64, 72, 96
COLORS = (BLUE, ORANGE, (33, 133, 89), (136, 72, 165))


def level_plot(
    levels: Sequence[float], series: Mapping[str, Sequence[float]], targets: Mapping[str, float] | None = None
) -> Tensor:
    """IMAGE [1, H, 1000, 3]: a panel for each of the series, which have units of their own, one above the other.

    levels: renoise levels; they stand in rising order at equal distances, since useful ones crowd near 0.
    series: name to one value per level. Values that are not finite are left out.
    targets: name to the value that the series should have, drawn as a dashed line: 1 for residual / noise.
    """
    targets = targets or {}
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    every = math.ceil(len(levels) / 13)  # as many names as there is room for
    names = ["" if place % every else f"{levels[i]:g}" for place, i in enumerate(order)]
    rows = []
    for name, values in series.items():
        points = [(place, values[i]) for place, i in enumerate(order) if math.isfinite(values[i])]
        target = [targets[name]] if name in targets else []
        y_range = padded([value for _, value in points] + target, 0.16)
        rows.append((name, points, y_range, nice_ticks(*y_range, 6)))

    margin = 44 + max(text_width(label, TICK_SIZE) for *_, ticks in rows for label in tick_labels(ticks))
    height = TOP + len(rows) * (PANEL + BETWEEN) - BETWEEN + FOOT
    canvas = Canvas(WIDTH, height)
    for row, (name, points, y_range, ticks) in enumerate(rows):
        top = TOP + row * (PANEL + BETWEEN)
        axes = Axes(margin, top, WIDTH - 40, top + PANEL, (-0.4, len(levels) - 0.6), y_range)
        color = COLORS[row % len(COLORS)]
        last = row == len(rows) - 1
        axes.draw_y(canvas, ticks)
        axes.draw_x(canvas, range(len(names)), names if last else [""] * len(names), grid=False)
        axes.draw_titles(canvas, "renoise level" if last else "", name)
        if name in targets:
            y = axes.y(targets[name])
            canvas.dashes((axes.left, y), (axes.right, y), FAINT_INK, 2)
            canvas.text((axes.right, y - 7), "target", TICK_SIZE - 2, FAINT_INK, "rs", halo=2)
        places = [axes.point(*point) for point in points]
        if len(places) > 1:
            canvas.line(places, color, 3.5)
        for place in places:
            canvas.marker(place, 8, color)
    return canvas.image()
