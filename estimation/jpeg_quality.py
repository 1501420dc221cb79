"""The quality that a JPEG file had, and what it took from the photo, read off the decoded picture."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .block_grid import BLOCK, block_grid
from .kept_noise import kept_noise

WINDOW = 1024  # px of the photo, which bounds the time
ROUNDING = 0.35  # std of a luma coefficient of a picture in whole numbers: rounded as luma, and once more as RGB
SEEN = 2.5  # smaller coefficients are zeros of any step
SAMPLES = 10_000
ASTRAY = 0.05  # part of the coefficients that clipping or a later touch has moved anywhere
CLEAR = 0.15  # mean logarithm of the likelihood ratio of a coefficient, above which the steps are those of the table
CERTAIN = 25.0  # the same of all of them
CHROMA = 1.25  # error of RGB over that of luma alone
FALL = 1.3  # photos' coefficients fall about so with the frequency, as its power
FEW = 0.05  # part of the blocks whose coefficient is not zero, below which their scale is uncertain


class JPEGTrace(NamedTuple):
    """error: std of what the compression changed, root mean square over RGB, on the 0..1 scale. noise: std in luma of
    white noise that it has kept, None where that is not certain."""

    quality: int
    error: float
    noise: float | None = None


def jpeg_trace(luma: Tensor, hidden: Tensor, steps: Tensor) -> JPEGTrace | None:
    """None where no table of steps fits.

    luma: [H, W] in 0..1, from a picture of 8 bits. hidden: bool [H, W], clipped or painted over; blocks that touch it
    have no say in the quality. steps: [100, 8, 8], the tables of the qualities 1 to 100.

    The cosine coefficients of a decoded block are whole multiples of their steps, but for the rounding of pixels: the
    quality is the one under which that is most likely (as Neelamani, de Queiroz, Fan, Dash and Baraniuk find a JPEG's
    history, IEEE TIP 2006). Against no steps at all, a coefficient c of step T is likelier by
    T sum_j N(c - j T; 0, ROUNDING^2), for densities that vary little over T. Zeros say nothing of their step, and are
    left out.
    """
    if min(luma.shape) < BLOCK:
        return None
    luma, hidden = (plane[: WINDOW + BLOCK, : WINDOW + BLOCK].double() for plane in (luma, hidden))
    found, best = None, 0.0
    for top, left in {(0, 0), block_grid(luma) or (0, 0)}:  # where little is left, the grid is seen at a wrong place
        touched = blocks(hidden[top:, left:]).flatten(1).amax(1) > 0
        coefficients = cosines(255 * blocks(luma[top:, left:]) - 128)
        likelihood, count = likeness(coefficients[~touched], steps)
        if likelihood.max() > max(best, CERTAIN, CLEAR * count):
            best, index = float(likelihood.max()), int(likelihood.argmax())
            step = steps[index].double()
            noise = kept_noise(coefficients[~touched] / 255, step / 255)
            found = JPEGTrace(index + 1, CHROMA * lost(coefficients, step) / 255, noise)
    return found


def likeness(coefficients: Tensor, steps: Tensor) -> tuple[Tensor, int]:
    """Logarithm of the likelihood ratio of each table, [m], and the number of coefficients that it is of.

    coefficients: [n, 8, 8]; steps: [m, 8, 8].
    """
    ac = coefficients.flatten(1)[:, 1:]
    block, frequency = (ac.abs() > SEEN).nonzero()[:SAMPLES].unbind(1)
    step = steps.flatten(1)[:, 1:].double()[:, frequency]
    rest = torch.remainder(ac[block, frequency] + step / 2, step) - step / 2
    bells = sum((-0.5 * ((rest + side * step) / ROUNDING) ** 2).exp() for side in (-1, 0, 1))
    ratio = step * bells / (ROUNDING * math.sqrt(2 * math.pi))
    return ((1 - ASTRAY) * ratio + ASTRAY).log().sum(1), len(block)


def blocks(plane: Tensor) -> Tensor:
    """[n, 8, 8], whole ones from the upper left corner on."""
    rows, columns = (n // BLOCK for n in plane.shape)
    whole = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return whole.movedim(2, 1).flatten(0, 1)


def cosines(blocks: Tensor) -> Tensor:
    """Orthonormal cosine coefficients of blocks, [n, 8, 8] as they are."""
    place = torch.arange(BLOCK, dtype=blocks.dtype)
    basis = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis @ blocks @ basis.T


def lost(coefficients: Tensor, step: Tensor) -> float:
    """Std of the error of pixels: coefficients [n, 8, 8] were rounded to multiples of step [8, 8].

    What was not rounded to zero is off by a uniform error. What was is as large as a Laplace distribution has it
    between minus and plus half a step, whose scale follows from the share of zeros; where nearly all are zeros, it is
    no more than other frequencies let expect.
    """
    place = torch.arange(BLOCK, dtype=step.dtype)
    radius = (place**2 + place[:, None] ** 2).sqrt().clamp_min(1)
    others = (coefficients.abs() >= step / 2).double().mean(0)
    count = len(coefficients)
    scale = step / (-2 * ((others * count + 0.5) / (count + 1)).log())
    if (others > FEW).any():
        scale = scale.minimum((scale * radius**FALL)[others > FEW].median() / radius**FALL)
    half, beyond = step / 2, (-step / (2 * scale)).exp()
    within = 2 * scale**2 - beyond * (half**2 + 2 * half * scale) / (1 - beyond)
    variance = others * step**2 / 12 + (1 - others) * within.minimum(step**2 / 12)
    return float(variance.mean().sqrt())
