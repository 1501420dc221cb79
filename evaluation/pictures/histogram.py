"""Does what the restoration leaves unexplained look like the noise?"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from .axes import TICK_SIZE, Axes, nice_ticks, tick_labels
from .canvas import BLUE, ORANGE, PAPER, Canvas, blend, text_width

WIDTH, HEIGHT = 1000, 640
BAR = blend(BLUE, PAPER, 0.45)


def residual_histogram(residual: Tensor) -> Tensor:
    """IMAGE [1, 640, 1000, 3]: the distribution of (y - A(x)) / noise std against the standard normal.

    residual: finite, any shape, without the entries that carry no measurement. A good restoration's residual follows
    the curve; a narrower one has fitted the noise, a wider one misses what was measured.
    """
    values = residual.detach().flatten().to("cpu").double().numpy()
    limit = max(4.0, math.ceil(np.quantile(np.abs(values), 0.999)))
    bins = int(np.clip(2 * len(values) ** (1 / 3), 20, 80))
    counts, edges = np.histogram(values, bins, (-limit, limit))
    density = counts / (len(values) * (edges[1] - edges[0]))
    grid = np.linspace(-limit, limit, 401)
    normal = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)

    y_range = 0.0, 1.12 * max(density.max(), normal.max())
    x_ticks, y_ticks = nice_ticks(-limit, limit, 9), nice_ticks(*y_range, 5)
    margin = 44 + max(text_width(label, TICK_SIZE) for label in tick_labels(y_ticks))
    axes = Axes(margin, 80, WIDTH - 40, HEIGHT - 104, (-limit, limit), y_range)
    canvas = Canvas(WIDTH, HEIGHT)
    axes.draw_y(canvas, y_ticks)
    for start, end, value in zip(edges, edges[1:], density, strict=False):
        canvas.rectangle(axes.x(start), axes.y(value), axes.x(end) - 1, axes.bottom, BAR)
    canvas.line([axes.point(*point) for point in zip(grid, normal, strict=True)], ORANGE, 3.5)
    axes.draw_x(canvas, x_ticks, tick_labels(x_ticks), grid=False)
    axes.draw_titles(canvas, "residual / noise std", "density")

    summary = f"residual: mean {round(values.mean(), 2) + 0.0:.2f}, std {values.std():.2f}"
    canvas.text((axes.right, axes.top + 4), summary, TICK_SIZE, BLUE, "ra", halo=3)
    canvas.text((axes.right, axes.top + 34), "standard normal", TICK_SIZE, ORANGE, "ra", halo=3)
    return canvas.image()
