"""The numbers of each shape of a blur with which it explains a photo's spectra best.

A scan over coarse values, then expectation maximization: which laws explain the patches, given the blur, and steps of
Adam (Kingma and Ba, ICLR 2015) on the shape's numbers and the noise, given the laws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Adam

from .blur_shapes import bent, disk, gaussian, path, point, speed_variance, straight
from .patch_spectra import UNEVEN, PatchSpectra

STDS = 0.5, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 8.0, 13.0, 20.0  # px, of Gaussians
RADII = 1.0, 1.5, 2.2, 3.3, 5.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0  # px, of disks
LENGTHS = 2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 19.0, 27.0, 38.0, 54.0, 76.0, 108.0  # px, of lines
ANGLES, FINER = 12, 1.0  # of lines, at least, and for each px of their length
NOISES = [0.7**i for i in range(6)]  # std, in units of what it is at most
BENDS = {"arc": 0.3}, {"swing": 0.3}, {"swing": -0.3}
POINTS = 6  # of a bent path
SLIGHTLY = 0.1  # for the best line, to see whether it is one
LINES, STARTS, GO_ON = 3, 4, 3  # lengths of lines that are fitted, and that are bent; paths that are fitted to the end
GRID = 1024  # values per px or logarithm after each round, or what threads round off differently grows a thousandfold
STEPS, RATE, SLOWER = 12, 0.15, 0.75  # in each round; at first, in px or logarithms; from round to round

HASTE = 1.0  # evidence of a patch against a speed that varies as much as its mean

# The part that is taken not to be blurred, round by round. As it falls, the evidence for paths gets its maxima.
ROUND, LINE, BENDING, BENT = [UNEVEN] * 3, [0.03, 0.001] + [UNEVEN] * 3, [0.03, 0.03, 0.001], [0.001] * 2 + [UNEVEN] * 3

NO_NUMBERS = torch.zeros((), dtype=torch.float64)

Draw = Callable[[Tensor, int], Tensor]


def logs(values: Iterable[float]) -> list[Tensor]:
    return [torch.tensor(math.log(value), dtype=torch.float64) for value in values]


# By which to see how likely a noise is.
PLAIN: list[tuple[Draw, list[Tensor]]] = [
    (point, [NO_NUMBERS]),
    (gaussian, logs((0.5, 1.0, 2.0))),
    (path, [straight(length, angle) for length in (3.0, 6.5) for angle in range(0, 180, 45)]),
]


class Fit(NamedTuple):
    """A shape, its numbers, the noise's variance, and how well they explain the spectra; see `PatchSpectra`.

    Of a bent path, less what speaks against its haste.
    """

    draw: Draw
    numbers: Tensor
    noise: float
    evidence: float


class Shapes(NamedTuple):
    """The best fit of each."""

    none: Fit
    gaussian: Fit
    disk: Fit
    line: Fit
    path: Fit


class ShapeSearch:
    """size: odd, px that a kernel has room in. noise_std: at least and at most, for texture may be a part of it.

    step() is called after each piece of the work, `search_steps(size)` times; what it raises ends the search.
    """

    def __init__(self, spectra: PatchSpectra, size: int, noise_std: tuple[float, float], step: Callable[[], None]):
        self.spectra, self.size, self.step = spectra, size, step
        self.least, self.most = noise_std

    def run(self) -> tuple[Shapes, list[Fit]]:
        """The shapes, and other bent paths that may be the right one."""
        noise = best(self.plain(max(self.least, self.most * part) ** 2) for part in NOISES).noise
        none = self.climb(self.tried(point, NO_NUMBERS, noise), ROUND)
        soft = self.climb(self.scan(gaussian, stds(self.size), noise), ROUND)
        unfocused = self.climb(self.scan(disk, radii(self.size), noise), ROUND)
        lines = [self.scan(path, lines_of(length), noise) for length in lengths(self.size)]
        lines.sort(key=lambda fit: -fit.evidence)
        line = best(self.climb(fit, LINE) for fit in lines[:LINES])
        starts = [bent(fit.numbers, POINTS, **bend) for fit in lines[:STARTS] for bend in BENDS]
        starts.append(bent(line.numbers, POINTS, SLIGHTLY))
        paths = [self.climb(self.tried(path, start, noise), BENDING) for start in starts]
        paths.sort(key=lambda fit: -fit.evidence)
        paths = [self.climb(fit, BENT) for fit in paths[:GO_ON]]
        return Shapes(none, soft, unfocused, line, best(paths)), paths

    def plain(self, noise: float) -> Fit:
        """The best of a few shapes."""
        return best(self.scan(draw, starts, noise) for draw, starts in PLAIN)

    def scan(self, draw: Draw, starts: Iterable[Tensor], noise: float) -> Fit:
        return best(self.tried(draw, start, noise) for start in starts)

    def tried(self, draw: Draw, numbers: Tensor, noise: float) -> Fit:
        evidence = self.spectra.evidence(draw(numbers, self.size), noise) - float(self.haste(draw, numbers))
        self.step()
        return Fit(draw, numbers, noise, evidence)

    def haste(self, draw: Draw, numbers: Tensor) -> Tensor:
        """What speaks against a path that lingers and leaps: with faint wings, a path can fit any photo's spectra."""
        return HASTE * len(self.spectra.power) * speed_variance(numbers) if draw is path else NO_NUMBERS

    def climb(self, fit: Fit, uneven: list[float]) -> Fit:
        """A fit after a round of expectation maximization for each uneven part."""
        numbers = fit.numbers.clone().requires_grad_()
        noise = torch.tensor(math.log(fit.noise), dtype=torch.float64, requires_grad=True)
        least, most = 2 * math.log(self.least), 2 * math.log(self.most) + math.log(2)
        descent = Adam([numbers, noise], lr=RATE)
        with torch.enable_grad():
            for part in uneven:
                shares = self.spectra.shares(self.gain(fit.draw, numbers, part).detach(), noise.exp().detach())
                for _ in range(STEPS):
                    descent.zero_grad()
                    expected = self.spectra.expected(shares, self.gain(fit.draw, numbers, part), noise.exp())
                    (self.haste(fit.draw, numbers) - expected).backward()
                    descent.step()
                    noise.data.clamp_(least, most)
                for value in numbers, noise:
                    value.data.mul_(GRID).round_().div_(GRID)
                descent.param_groups[0]["lr"] *= SLOWER
                self.step()
        return self.tried(fit.draw, numbers.detach(), float(noise.detach().exp()))

    def gain(self, draw: Draw, numbers: Tensor, uneven: float) -> Tensor:
        return self.spectra.gain(draw(numbers, self.size), uneven)


def best(fits: Iterable[Fit]) -> Fit:
    return max(fits, key=lambda fit: fit.evidence)


def search_steps(size: int) -> int:
    """How often a search calls its step(): for each shape that it tries, and for each round of each climb."""
    scanned = len(NOISES) * sum(len(starts) for _, starts in PLAIN) + 1 + len(stds(size)) + len(radii(size))
    scanned += sum(len(lines_of(length)) for length in lengths(size))
    known = len(lengths(size))
    starts = min(STARTS, known) * len(BENDS) + 1
    climbs = [ROUND] * 3 + [LINE] * min(LINES, known) + [BENDING] * starts + [BENT] * min(GO_ON, starts)
    return scanned + starts + sum(len(rounds) + 1 for rounds in climbs)


def stds(size: int) -> list[Tensor]:
    return logs(std for std in STDS if 3 * std < size)


def radii(size: int) -> list[Tensor]:
    return logs(radius for radius in RADII if 2 * radius < size)


def lengths(size: int) -> list[float]:
    return [length for length in LENGTHS if length <= size]


def lines_of(length: float) -> list[Tensor]:
    number = max(ANGLES, round(FINER * length))
    return [straight(length, i * 180 / number) for i in range(number)]
