"""Where a restoration is wrong."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..quality import pair
from .axes import nice_ticks, round_up, tick_labels
from .canvas import FAINT_INK, FRAME, Canvas
from .colormap import colorize
from .enlarge import enlarge, least_factor


def error_map(image: Tensor, reference: Tensor, top: float | None = None) -> Tensor:
    """Absolute error, mean over channels, in colors, with a scale bar below: IMAGE [B, height, width, 3].

    top: the error at the bright end of the scale; larger ones look the same. By default the 99.5th percentile over all
    images, rounded up, so that the images of a batch can be compared. Small images are enlarged by a whole factor.
    """
    image, reference = pair(image, reference)
    error = (image - reference).abs().mean(dim=-1).cpu()
    top = top or round_up(float(np.quantile(error.numpy(), 0.995)))
    picture = enlarge(colorize(error / top), least_factor(error.shape[2]))
    bar = scale_bar(picture.shape[2], top)
    return torch.cat([picture, bar.expand(len(picture), -1, -1, -1)], dim=1)


def scale_bar(width: int, top: float) -> Tensor:
    """The color scale from 0 to top with ticks: IMAGE [1, height, width, 3]."""
    size = min(40, max(15, width // 24))
    margin, thickness = size, round(0.8 * size)
    canvas = Canvas(width, round(5.2 * size), supersampling=1)
    left, right = margin, width - margin
    upper, lower = margin, margin + thickness
    canvas.rectangle(left - 1, upper - 1, right + 1, lower + 1, FRAME)
    ticks = nice_ticks(0, top, 5) if width >= 300 else [0, top]
    for tick, label in zip(ticks, tick_labels(ticks), strict=True):
        x = left + tick / top * (right - left - 1)
        anchor = "la" if tick == 0 else "ra" if tick > 0.99 * top else "ma"
        canvas.line([(x, lower + 1), (x, lower + 5)], FRAME, 1)
        canvas.text((x, lower + 8), label, size, FAINT_INK, anchor)
    canvas.text((width / 2, lower + 10 + 1.3 * size), "absolute error", size, FAINT_INK, "ma")
    bar = canvas.image()
    bar[0, upper:lower, left:right] = colorize(torch.linspace(0, 1, right - left))
    return bar
