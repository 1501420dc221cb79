"""A blur that was found, in words."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .blur_shapes import path_length
from .shape_search import Fit, Shapes

SHARP = 0.75  # px of std: the least that the estimate tells from a sharp photo
CERTAIN = 100.0  # evidence: logarithm of a likelihood, over that of no blur
REACH = 0.01  # part of the kernel on the border of its square
ROOM = 0.75  # length of a blur over the side of its square, above which it may be cut short


def describe_blur(kernel: Tensor, found: Fit, shapes: Shapes) -> str:
    """Lines on shape, size, evidence and limits. kernel: [n, n], sums to one. found: one of the shapes."""
    size, (along, across, angle) = len(kernel), extent(kernel)
    if found is shapes.none:
        lines = ["hardly any blur: the photo is sharp, its blur is not the same all over, or it does not tell"]
    else:
        lines = [
            name_of(found, shapes, angle),
            f"spread (std): {along:.1f} px along {round(angle) % 180} degrees, {across:.1f} px across",
            grounds(found, shapes),
        ]
    border = torch.cat([kernel[0], kernel[-1], kernel[1:-1, 0], kernel[1:-1, -1]]).sum()
    if border > REACH or 12**0.5 * along > ROOM * size:
        lines.append(f"the kernel has hardly room in its {size}x{size} px: use a larger size")
    lines.append(f"limits: true if the whole photo is blurred alike, by {size} px at most, and has edges")
    return "\n".join(lines)


def name_of(found: Fit, shapes: Shapes, angle: float) -> str:
    if found is shapes.gaussian:
        return f"round: a Gaussian of sigma {math.exp(found.numbers):.1f}"
    if found is shapes.disk:
        return f"round: a lens out of focus (disk of radius {math.exp(found.numbers):.1f})"
    length = path_length(found.numbers)
    if found is shapes.line:
        return f"long: a straight motion of {length:.0f} px at {round(angle) % 180} degrees"
    return f"bent: a shaken camera, by a path of {length:.0f} px"


def grounds(found: Fit, shapes: Shapes) -> str:
    """A path can be all but a line, and so is none of its rivals."""
    rivals = {"a Gaussian": shapes.gaussian, "a disk": shapes.disk, "a straight motion": shapes.line}
    if found is not shapes.line:
        rivals["a bent path"] = shapes.path
    evidence, next_best = max((fit.evidence, name) for name, fit in rivals.items() if fit is not found)
    gain = found.evidence - shapes.none.evidence
    sure = "well founded" if gain > CERTAIN else "a guess"
    lead = found.evidence - evidence
    return f"{sure}: evidence {gain:.0f} above that of no blur, {lead:.0f} above that of {next_best}"


def extent(kernel: Tensor) -> tuple[float, float, float]:
    """Std along the axis of the largest and of the least spread, and the former's angle.

    In px, and degrees from 0 to 180, counter-clockwise from the horizontal as one sees it.
    """
    place = torch.arange(len(kernel), dtype=torch.float64)
    kernel = kernel.double().cpu()
    x, y = (place - (mass * place).sum() for mass in (kernel.sum(0), kernel.sum(1)))
    mixed = float((kernel * y[:, None] * x).sum())
    wide, high = (float((mass * offset**2).sum()) for mass, offset in ((kernel.sum(0), x), (kernel.sum(1), y)))
    mean, half = (wide + high) / 2, math.hypot((wide - high) / 2, mixed)
    angle = math.degrees(0.5 * math.atan2(-2 * mixed, wide - high)) % 180
    return math.sqrt(mean + half), math.sqrt(max(mean - half, 0.0)), angle
