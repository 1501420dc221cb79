"""How soft a photo is: the decay of its spectrum beside that of sharp photos."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

WINDOW = 1024  # px of the photo, which bounds the time
LEAST_SIDE = 64
RINGS = torch.linspace(0.02, 0.5, 25)  # cycles per pixel, between which the spectrum is averaged
STDS = torch.arange(0, 5.01, 0.05)  # of a Gaussian, in pixels; the first is no blur
RADII = torch.arange(1.6, 10.01, 0.1)  # of a disk, whose std is half of it
DECAYS = torch.arange(1.2, 4.01, 0.1)  # of the power of photos, as a power of frequency
USUAL_DECAY, DECAY_SPREAD = 2.5, 0.4  # mean and std over photos
LEVELS = torch.linspace(-25, 5, 121)  # logarithm of that power at one cycle per pixel
SCATTER = 0.15  # std of a ring's logarithm about a photo's law


class Softness(NamedTuple):
    """std: in pixels and each direction, of the blur that explains the spectrum best. evidence: the logarithm of its
    likelihood over that of no blur. disk: whether that blur is a disk, not a Gaussian."""

    std: float
    evidence: float
    disk: bool = False


def softness(plane: Tensor, noise_variance: float, highest: float = 0.5) -> Softness | None:
    """None where the plane is too small to tell.

    The logarithm of the mean power over rings of frequency r is fitted by log(A r^-a |K(r)|^2 + noise): the power law
    of photos (Field, "Relations between the statistics of natural images and the response properties of cortical
    cells", JOSA A 1987), a blur that is a Gaussian or the disk of a lens out of focus, and white noise. Sharp photos
    give a std up to 0.65, for lens and sensor blur too.

    plane: [H, W]. highest: frequencies above it are not looked at, such as those that JPEG has cut off.
    """
    if min(plane.shape) < LEAST_SIDE:
        return None
    radius, power = ring_powers(_middle(_middle(plane.double(), 0), 1))
    seen = radius < highest
    radius, power = radius[seen], power[seen].clamp_min(1e-12).log()
    law = -DECAYS[:, None] * radius.log()
    unlikely = ((DECAYS - USUAL_DECAY) / DECAY_SPREAD).square()
    misfits = []
    for gain in torch.cat([gaussian_gains(radius), disk_gains(radius)]):
        model = LEVELS[:, None, None] + law + gain
        misfit = ((power - (model.exp() + noise_variance).log()) / SCATTER).square().sum(-1)
        misfits.append((misfit + unlikely).min() / 2)
    fit = torch.stack(misfits)
    best = int(fit.argmin())
    return Softness(float(torch.cat([STDS, RADII / 2])[best]), float(fit[0] - fit[best]), best >= len(STDS))


def gaussian_gains(radius: Tensor) -> Tensor:
    """log |K|^2 on rings, [len(STDS), len(radius)]."""
    return -(2 * math.pi * STDS[:, None] * radius).square()


def disk_gains(radius: Tensor) -> Tensor:
    """The same of disks: the mean over the width of a ring, for |K| has zeros."""
    width = float(RINGS[1] - RINGS[0])
    inside = radius[:, None] + width * (torch.arange(5) - 2) / 5
    phase = 2 * math.pi * RADII[:, None, None] * inside
    return (2 * torch.special.bessel_j1(phase) / phase).square().log().mean(-1)


def ring_powers(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Mean frequency of each ring, and the power on it: the geometric mean, over its expected bias for white noise.

    Normalized so that white noise of variance v has power v.
    """
    height, width = plane.shape
    window = torch.outer(*(torch.hann_window(n, periodic=False, dtype=plane.dtype) for n in (height, width)))
    centered = (plane - (plane * window).sum() / window.sum()) * window
    power = torch.fft.rfft2(centered).abs().square() / window.square().sum()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
    rings = [(radius >= low) & (radius < high) for low, high in zip(RINGS[:-1], RINGS[1:], strict=True)]
    euler = 0.5772156649015329  # the mean of log(x) is minus this for x of an exponential distribution of mean 1
    levels = [(power[ring].clamp_min(1e-20).log().mean() + euler).exp() for ring in rings]
    return torch.stack([radius[ring].mean() for ring in rings]).double(), torch.stack(levels)


def _middle(plane: Tensor, side: int) -> Tensor:
    length = plane.shape[side]
    return plane.narrow(side, max(0, (length - WINDOW) // 2), min(length, WINDOW))
