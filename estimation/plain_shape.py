"""The plain shape that a blur kernel is like: a straight line, as of a motion, or a Gaussian, as out of focus.

A kernel that was found is the true one, softened alike in all directions and cut off where it is weak, with errors. A
shape has two numbers or one, so that its errors are smaller, where it is the right shape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

from .blur_report import ROUND, SHARP, extent

ALIKE = 0.82  # cosine of a kernel and its shape, from which the shape is taken
POINTS = 1000  # of a line


def plain_shape(kernel: Tensor, least: float) -> Tensor:
    """The line or the Gaussian of a kernel's spread where that is what it looks like, or else the kernel.

    kernel: [n, n], sums to one, zero where it was below `least` of its maximum.
    """
    along, across, angle = extent(kernel)
    if along < SHARP:
        return kernel
    if across <= ROUND * along:
        shape = line(math.sqrt(12 * (along**2 - across**2)), angle, kernel)
        alike = cosine(kernel, shape)
    else:
        kept = 1 + least * math.log(least) / (1 - least)  # of a Gaussian's variance, by what lies above `least`
        shape = gaussian(math.sqrt(along * across / kept), kernel)
        alike = cosine(kernel, torch.where(shape >= least * shape.max(), shape, 0.0))
    return shape if alike > ALIKE else kernel


def line(length: float, angle: float, like: Tensor) -> Tensor:
    """A straight motion at constant speed, each point spread over the four pixels around it. angle: as of `extent`."""
    way = length * ((torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS - 0.5)
    turn, place = math.radians(angle), torch.arange(len(like)) - len(like) // 2
    columns, rows = (1 - (place - at[:, None]).abs() for at in (way * math.cos(turn), -way * math.sin(turn)))
    return normalized(rows.clamp_min(0).T @ columns.clamp_min(0), like)


def gaussian(std: float, like: Tensor) -> Tensor:
    place = torch.arange(len(like), dtype=torch.float64) - len(like) // 2
    row = (-0.5 * (place / std).square()).exp()
    return normalized(torch.outer(row, row), like)


def normalized(shape: Tensor, like: Tensor) -> Tensor:
    return (shape / shape.sum()).to(like)


def cosine(a: Tensor, b: Tensor) -> float:
    """At the shift where it is largest."""
    size = (2 * len(a), 2 * len(a))
    return float(irfft2(rfft2(a, s=size) * rfft2(b, s=size).conj(), s=size).max() / (a.norm() * b.norm()))
