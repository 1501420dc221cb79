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
ANGLES, FINER = 12, 1.6  # of lines, at least, and for each px of their length
NOISES = [0.7**i for i in range(6)]  # std, in units of what it is at most
BENDS = {"arc": 0.3}, {"swing": 0.3}, {"swing": -0.3}
POINTS = 6  # of a bent path
SLIGHTLY = 0.1  # for the best line, to see whether it is one
LINES, STARTS, GO_ON = 3, 4, 3  # lengths of lines that are fitted, and that are bent; paths that are fitted to the end
STEPS, RATE, SLOWER = 12, 0.15, 0.75  # in each round; at first, in px or logarithms; from round to round

HASTE = 1.0  # evidence of a patch against a speed that varies as much as its mean

# The part that is taken not to be blurred, round by round. As it falls, the evidence for paths gets its maxima.
ROUND, LINE, BENDING, BENT = [UNEVEN] * 3, [0.03, 0.001] + [UNEVEN] * 3, [0.03, 0.03, 0.001], [0.001] * 2 + [UNEVEN] * 3

NO_NUMBERS = torch.zeros(())

Draw = Callable[[Tensor, int], Tensor]


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

    report(step, total) is called on the way.
    """

    def __init__(
        self, spectra: PatchSpectra, size: int, noise_std: tuple[float, float], report: Callable[[int, int], None]
    ):
        self.spectra, self.size, self.report = spectra, size, report
        self.least, self.most = noise_std
        self.lengths = [length for length in LENGTHS if length <= size]
        self.starts = min(STARTS, len(self.lengths))
        self.total = len(NOISES) + 3 + len(self.lengths) + LINES + self.starts * len(BENDS) + 1 + GO_ON
        self.done = 0

    def run(self) -> tuple[Shapes, list[Fit]]:
        """The shapes, and other bent paths that may be the right one."""
        noise = best(self.plain(max(self.least, self.most * part) ** 2) for part in NOISES).noise
        none = self.climb(self.tried(point, NO_NUMBERS, noise), ROUND)
        stds = logs(std for std in STDS if 3 * std < self.size)
        radii = logs(radius for radius in RADII if 2 * radius < self.size)
        soft = self.climb(self.scan(gaussian, stds, noise), ROUND)
        unfocused = self.climb(self.scan(disk, radii, noise), ROUND)
        lines = sorted((self.line(length, noise) for length in self.lengths), key=lambda fit: -fit.evidence)
        line = best(self.climb(fit, LINE) for fit in lines[:LINES])
        starts = [bent(fit.numbers, POINTS, **bend) for fit in lines[: self.starts] for bend in BENDS]
        starts.append(bent(line.numbers, POINTS, SLIGHTLY))
        paths = [self.climb(self.tried(path, start, noise), BENDING) for start in starts]
        paths.sort(key=lambda fit: -fit.evidence)
        paths = [self.climb(fit, BENT) for fit in paths[:GO_ON]]
        return Shapes(none, soft, unfocused, line, best(paths)), paths

    def plain(self, noise: float) -> Fit:
        """The best of a few shapes, by which to see how likely a noise is."""
        lines = [straight(length, angle) for length in (3.0, 6.5) for angle in range(0, 180, 45)]
        fit = best(
            self.scan(draw, starts, noise)
            for draw, starts in ((point, [NO_NUMBERS]), (gaussian, logs((0.5, 1.0, 2.0))), (path, lines))
        )
        return self.stepped(fit)

    def line(self, length: float, noise: float) -> Fit:
        """The best of a length."""
        number = max(ANGLES, round(FINER * length))
        return self.stepped(self.scan(path, (straight(length, i * 180 / number) for i in range(number)), noise))

    def scan(self, draw: Draw, starts: Iterable[Tensor], noise: float) -> Fit:
        return best(self.tried(draw, start, noise) for start in starts)

    def tried(self, draw: Draw, numbers: Tensor, noise: float) -> Fit:
        evidence = self.spectra.evidence(draw(numbers, self.size), noise) - float(self.haste(draw, numbers))
        return Fit(draw, numbers, noise, evidence)

    def haste(self, draw: Draw, numbers: Tensor) -> Tensor:
        """What speaks against a path that lingers and leaps: with faint wings, a path can fit any photo's spectra."""
        return HASTE * len(self.spectra.power) * speed_variance(numbers) if draw is path else NO_NUMBERS

    def climb(self, fit: Fit, uneven: list[float]) -> Fit:
        """A fit after a round of expectation maximization for each uneven part."""
        numbers, noise = fit.numbers.clone().requires_grad_(), torch.tensor(math.log(fit.noise), requires_grad=True)
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
                descent.param_groups[0]["lr"] *= SLOWER
        return self.stepped(self.tried(fit.draw, numbers.detach(), float(noise.detach().exp())))

    def gain(self, draw: Draw, numbers: Tensor, uneven: float) -> Tensor:
        return self.spectra.gain(draw(numbers, self.size), uneven)

    def stepped(self, fit: Fit) -> Fit:
        self.done += 1
        self.report(self.done, self.total)
        return fit


def best(fits: Iterable[Fit]) -> Fit:
    return max(fits, key=lambda fit: fit.evidence)


def logs(values: Iterable[float]) -> list[Tensor]:
    return [torch.tensor(math.log(value)) for value in values]
