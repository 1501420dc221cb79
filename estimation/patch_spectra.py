"""How well a blur explains the spectra of a photo's patches.

The power spectrum of a small patch of a sharp photo falls with frequency, more or less steeply, and across an edge less
than along it: a few laws, each in any strength. A blur k multiplies all of them by the same |K|^2, zeros and all, and
white noise adds a constant. A patch is some one of the laws, all as likely, and its periodogram is exponentially
distributed about it (Whittle, "Estimation and information in stationary time series", Arkiv for Matematik 1953). The
logarithm of the likelihood of all patches is the evidence for k. It does not ask for a sharp image, so that no wide
kernel gains by a flat one (Levin, Weiss, Durand and Freeman, "Understanding and evaluating blind deconvolution
algorithms", CVPR 2009). A photo of nothing but stripes in one direction still looks like a motion along them.

|K|^2 is all that it sees: k and k turned by 180 degrees are the same to it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.fft import fftfreq, rfft2

MOST = 130_000  # px of the patches that are looked at, those of the most contrast, which bounds the time
DECAYS = 2.0, 2.5, 3.0, 4.0  # of the power, as a power of frequency
RATIOS = 2.0, 5.0  # of frequencies across an edge to those along it that have the same power
DIRECTIONS = 8
# Logarithms of the power at a tenth of a cycle per pixel.
STRENGTHS = torch.linspace(math.log(1e-6), math.log(3.0), 16, dtype=torch.float64)
LOWEST = 1.6  # cycles per patch: below, its window mixes in the mean
ALIKE = 2.25  # neighbouring frequencies that the window has made one, on average; every other one tells as much
OVERLAP = 0.5  # of a patch's evidence, as half of its pixels are others' too
UNEVEN = 1e-4  # part of a photo's power that is not blurred: lights cut off, borders, what moved
KEPT = 0.99  # of the shares; the rest of the laws are left out of a fit


class Shares(NamedTuple):
    """law: [L], those that count. share: [L], the patches that each explains. power: [L, F], the sum of theirs."""

    law: Tensor
    share: Tensor
    power: Tensor


class PatchSpectra:
    """plane: [H, W]. side: even, px of a patch.

    Kernels are [h, w]. noise: the variance of white noise, on the plane's scale. gain: |K|^2, as `gain` gives it.
    """

    def __init__(self, plane: Tensor, side: int):
        self.side = side
        self.down, self.right = _frequencies(side)[:, None], _frequencies(side)[: side // 2 + 1].abs()
        chess = (torch.arange(side)[:, None] + torch.arange(side // 2 + 1)) % 2 == 0
        self.seen = chess & (torch.hypot(self.down, self.right) > LOWEST / side)
        twice = self.down.new_ones(side, side // 2 + 1)
        twice[:, [0, -1]] = 0.5  # each of the other columns stands for its mirror image too
        self.weight = twice[self.seen] * (2 / ALIKE)  # for the other colour of the chess board
        self.power = periodograms(plane.double(), side)[:, self.seen]
        laws = smoothed(_laws(side))[..., : side // 2 + 1][:, self.seen]
        self.laws = (STRENGTHS.exp()[:, None, None] * laws).flatten(0, 1)

    def gain(self, kernel: Tensor, uneven: float = UNEVEN) -> Tensor:
        """|K|^2, smoothed as a patch's window does, at the frequencies that are looked at.

        A large uneven part hides where it is small: the evidence has fewer maxima then.
        """
        rows, columns = (torch.arange(n) - n // 2 for n in kernel.shape)
        half = torch.exp(-2j * math.pi * self.down * rows) @ kernel.to(torch.complex128)
        half = (half @ torch.exp(-2j * math.pi * columns[:, None] * self.right)).abs().square()
        mirrored = half[:, 1 : self.side // 2].flip(0, 1).roll(1, 0)
        return uneven + smoothed(torch.cat([half, mirrored], 1))[:, : self.side // 2 + 1][self.seen]

    def evidence(self, kernel: Tensor, noise: float) -> float:
        """Logarithm of the likelihood, up to a constant of the photo."""
        return OVERLAP * float(self._table(self.gain(kernel), noise).logsumexp(1).sum())

    def shares(self, gain: Tensor, noise: Tensor) -> Shares:
        """Which laws explain the patches, given the blur."""
        table = self._table(gain, noise).softmax(1)
        share, law = table.sum(0).sort(descending=True)
        law = law[: 1 + int((share.cumsum(0) < KEPT * len(table)).sum())]
        return Shares(law, table[:, law].sum(0), table[:, law].T @ self.power)

    def expected(self, shares: Shares, gain: Tensor, noise: Tensor) -> Tensor:
        """The evidence with the laws given, up to a constant: the bound that expectation maximization raises."""
        model = self.laws[shares.law] * gain + noise
        return -OVERLAP * ((shares.share[:, None] * model.log() + shares.power / model) @ self.weight).sum()

    def _table(self, gain: Tensor, noise: Tensor | float) -> Tensor:
        """[patches, laws]."""
        model = self.laws * gain + noise
        return -(model.log() @ self.weight) - (self.power * self.weight) @ (1 / model).T - math.log(len(model))


def periodograms(plane: Tensor, side: int) -> Tensor:
    """Power spectra of patches that overlap by half, [patches, side, side // 2 + 1]: those of the most contrast.

    Normalized so that white noise of variance v has power v.
    """
    patches = plane.unfold(0, side, side // 2).unfold(1, side, side // 2).flatten(0, 1)
    contrast = patches.flatten(1).var(1)
    patches = patches[contrast.argsort(descending=True)[: max(1, MOST // side**2)]]
    window = torch.hann_window(side, dtype=torch.float64)
    window = torch.outer(window, window)
    means = (patches * window).sum((1, 2), keepdim=True) / window.sum()
    return rfft2((patches - means) * window).abs().square() / window.square().sum()


def smoothed(spectrum: Tensor) -> Tensor:
    """A power spectrum [..., n, n] as it is seen through Hann's window."""
    for side in (-1, -2):
        spectrum = (4 * spectrum + spectrum.roll(1, side) + spectrum.roll(-1, side)) / 6
    return spectrum


def _laws(side: int) -> Tensor:
    """[laws, side, side], each one at a tenth of a cycle per pixel, across its edge."""
    right = _frequencies(side)
    down = right[:, None]
    squares = [down.square() + right.square()]
    for turn in torch.arange(DIRECTIONS, dtype=torch.float64) * math.pi / DIRECTIONS:
        across, along = right * turn.cos() - down * turn.sin(), right * turn.sin() + down * turn.cos()
        squares += [across.square() + (ratio * along).square() for ratio in RATIOS]
    squared = (torch.stack(squares) + (0.5 / side) ** 2) / 0.1**2
    return torch.cat([squared ** (-decay / 2) for decay in DECAYS])


def _frequencies(side: int) -> Tensor:
    """In cycles per pixel, in the order of a Fourier transform."""
    return fftfreq(side, dtype=torch.float64)
