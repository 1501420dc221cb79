"""A blur kernel that was found, in words."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SHARP = 1.0  # px of std: the least that the estimate tells from no blur
ROUND = 0.6  # smaller over larger std
CERTAIN = 1.12  # residual of the kernel turned by 90 degrees, over its own
REACH = 0.01  # part of the kernel on the border of its square


def describe_kernel(kernel: Tensor, residual: float, turned: float, noise_std: float) -> str:
    """Lines on size, shape, fit and limits. kernel: [n, n], sums to one.

    residual, turned: what a sharp image of few edges and the kernel, or the kernel turned by 90 degrees, leave of the
    photo. They and noise_std are of the mean of the channels, in units of the 0..1 range.
    """
    size, (along, across, angle) = len(kernel), extent(kernel)
    lines = [
        f"spread (std): {along:.1f} px along {angle:.0f} degrees, {across:.1f} px across",
        f"residual: {residual:.4f}, where the noise is {noise_std:.4f}",
    ]
    if along < SHARP:
        lines.append("hardly any blur: the photo is sharp, or its blur is not the same all over")
    elif across > ROUND * along:
        sigma = math.sqrt(along * across)
        lines.append(f"round: a Gaussian of sigma {sigma:.1f}, or a lens out of focus (disk of radius {2 * sigma:.1f})")
    else:
        founded = "well founded" if turned > CERTAIN * residual else "a guess, or the photo is sharp"
        lines += [
            f"long: as from a straight motion of {math.sqrt(12) * along:.0f} px at {angle:.0f} degrees",
            f"that direction is {founded}: turned by 90 degrees, the kernel leaves a residual of {turned:.4f}",
        ]
    border = torch.cat([kernel[0], kernel[-1], kernel[1:-1, 0], kernel[1:-1, -1]]).sum()
    if border > REACH:
        lines.append(f"the kernel reaches the border of its {size}x{size} px: use a larger size")
    lines.append(
        f"limits: true if the whole photo is blurred alike, by {size} px at most, and has edges in many directions"
    )
    return "\n".join(lines)


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
