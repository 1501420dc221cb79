"""Shapes of blurs, drawn from a few numbers by what has gradients: kernels [size, size], size odd, that sum to one.

In float64, as is the search for them: it compares shapes that are all but alike.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

SAMPLES = 160  # along a path
CUBIC = 3


def point(_numbers: Tensor, size: int) -> Tensor:
    """No blur."""
    kernel = torch.zeros(size, size, dtype=torch.float64)
    kernel[size // 2, size // 2] = 1
    return kernel


def gaussian(log_std: Tensor, size: int) -> Tensor:
    """log_std: scalar, of px."""
    row = (-0.5 * (_offsets(size) / log_std.exp()).square()).exp()
    return _normalized(torch.outer(row, row))


def disk(log_radius: Tensor, size: int) -> Tensor:
    """Of a lens out of focus. log_radius: scalar, of px."""
    away = torch.hypot(_offsets(size)[:, None], _offsets(size))
    return _normalized((log_radius.exp() + 0.5 - away).clamp(0, 1))


def path(points: Tensor, size: int) -> Tensor:
    """Of a camera that moves along a spline, each of whose parts takes as long.

    points: [n, 2], the control points, x to the right and y down, in px; two make a straight line. The path is centred
    on its mean, and spread over the four pixels around each of its points.
    """
    way = course(points)
    columns, rows = (1 - (_offsets(size) - at[:, None]).abs() for at in (way - way.mean(0)).unbind(1))
    return _normalized(rows.clamp_min(0).T @ columns.clamp_min(0))


def course(points: Tensor) -> Tensor:
    """[SAMPLES, 2], the places along a path at equal times."""
    return splines(len(points)) @ points


def path_length(points: Tensor) -> float:
    """In px."""
    return float(course(points).diff(dim=0).norm(dim=1).sum()) * SAMPLES / (SAMPLES - 1)


def speed_variance(points: Tensor) -> Tensor:
    """Variance of the speed along a path, in units of its mean squared."""
    speed = course(points).diff(dim=0).square().sum(1).clamp_min(1e-12).sqrt()
    return (speed / speed.mean()).var()


def straight(length: float, angle: float) -> Tensor:
    """Control points of a line. angle: in degrees, counter-clockwise as one sees it."""
    turn = math.radians(angle)
    half = torch.tensor([math.cos(turn), -math.sin(turn)], dtype=torch.float64) * length / 2
    return torch.stack([-half, half])


def bent(line: Tensor, number: int, arc: float = 0.0, swing: float = 0.0) -> Tensor:
    """`number` control points of a line, bent to one side, or to one and then the other, by parts of its length."""
    way = line[1] - line[0]
    t = torch.linspace(-0.5, 0.5, number, dtype=torch.float64)[:, None]
    aside = arc * (4 * t.square() - 0.5) + swing * torch.sin(2 * math.pi * t)
    return t * way + aside * torch.stack([-way[1], way[0]])


@cache
def splines(number: int) -> Tensor:
    """[SAMPLES, number]: B-splines on equal parts, clamped at both ends; cubic, or of the degree that so few can have.

    By the recursion of Cox and de Boor.
    """
    degree = min(CUBIC, number - 1)
    t = (torch.arange(SAMPLES, dtype=torch.float64)[:, None] + 0.5) / SAMPLES
    inner = torch.arange(number - degree + 1, dtype=torch.float64) / (number - degree)
    knots = torch.cat([inner.new_zeros(degree), inner, inner.new_ones(degree)])
    basis = ((t >= knots[:-1]) & (t < knots[1:])).double()
    for d in range(1, degree + 1):
        width = (knots[d:] - knots[:-d]).clamp_min(1e-9)  # where it is 0, so is the basis
        rising, falling = (t - knots[: -d - 1]) / width[:-1], (knots[d + 1 :] - t) / width[1:]
        basis = rising * basis[:, :-1] + falling * basis[:, 1:]
    return basis


def _offsets(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64) - size // 2


def _normalized(kernel: Tensor) -> Tensor:
    return kernel / kernel.sum().clamp_min(1e-9)
