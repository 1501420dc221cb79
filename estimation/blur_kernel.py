"""The blur kernel of a photo, from the photo alone.

By turns, a sharp image of few edges for the kernel (`few_edges`), and the kernel that blurs these edges to those of the
photo, by least squares on gradients as in Cho and Lee, "Fast motion deblurring", SIGGRAPH Asia 2009: a division of
spectra. From coarse to fine, as large kernels are small on a small photo.

Edges of one direction do not show how they were blurred along themselves. Least squares with a ridge find no sharpness
there, which is a long kernel: a photo of upright things seems moved upright. The ridge pulls to a small kernel instead
(`Pull`), and a plain shape is fitted to what comes of it; a bent path is most exact without the pull. Where a stronger
pull finds a much smaller kernel, that one, which does less harm, is returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq
from torch.nn.functional import interpolate, max_pool2d

from ..evaluation.quality import floating
from .blur_report import describe_kernel, extent
from .few_edges import Gradient, gradient, periodic, response, sharpen
from .noise_std import estimate_noise
from .plain_shape import plain_shape

WINDOW = 512  # px of the photo, which bounds the time
TURNS = 5  # at each scale
RIDGE = 0.3  # of the least squares, in units of the edges' mean power
FLAT = 1e-4  # root mean square of the gradient; a tenth of what rounding to 8 bits makes
LEAST = 0.1  # part of the kernel's maximum, and of its sum for a piece that lies apart, below which it is noise

# Spread of the kernel over that with the stronger pull, above which the photo has not told: of no plain shape, and
# where less than a part FEW of the edges' power is along the kernel.
WIDER, WIDER_UNSEEN, FEW = 3.2, 1.6, 0.2

NO_EDGES = "No edges stand out in the photo, and a blur shows on edges only: use another part of it, or another photo."


class Pull(NamedTuple):
    """What the ridge draws a kernel to: this part of a Gaussian of this std in px."""

    part: float
    std: float


PULLS = Pull(0.0, 0.0), Pull(0.07, 0.7), Pull(2 / 3, 1.0)  # none, usual, stronger


class BlurEstimate(NamedTuple):
    """kernel: [n, n], n odd, float32, sums to one, its mean in the middle. text: what it looks like, its limits."""

    kernel: Tensor
    text: str


def estimate_blur(
    photo: Tensor, size: int = 31, report: Callable[[int, int], None] = lambda step, total: None
) -> BlurEstimate:
    """photo: IMAGE [1, H, W, C]. size: px that the kernel has room in, odd. report(step, total) is called on the way.

    Raises ValueError for several photos, and for one without edges or less than twice as large as the kernel.
    """
    if len(photo) != 1:
        raise ValueError(f"There are {len(photo)} photos, and each has its own blur: connect one of them.")
    height, width = photo.shape[1:3]
    if min(height, width) < 2 * size:
        raise ValueError(
            f"The photo is {width}x{height} pixels, too small to find a kernel of {size}: use a smaller size, "
            "or more of the photo."
        )
    middle = photo[:, _middle(height)][:, :, _middle(width)]
    plane = floating(middle)[0].mean(-1)
    contrast = torch.cat([plane.diff(dim=0).flatten(), plane.diff(dim=1).flatten()]).square().mean().mul(2).sqrt()
    if contrast < FLAT:
        raise ValueError(NO_EDGES)
    plane = plane / contrast
    each = TURNS * len(scales(size))

    def found(i: int) -> Tensor:
        return find_kernel(plane, size, PULLS[i], lambda step: report(i * each + step, len(PULLS) * each))

    free, pulled, smaller = (found(i) for i in range(len(PULLS)))
    widest, likely, narrow = (extent(kernel)[0] for kernel in (free, pulled, smaller))
    kernel, few = plain_shape(pulled, LEAST), share_along(plane, pulled) < FEW
    plain = kernel is not pulled
    sure = likely <= (WIDER_UNSEEN if few else WIDER) * narrow or (plain and not few)
    if not sure:
        kernel = smaller
    elif not plain and widest <= WIDER_UNSEEN * likely:
        kernel = free
    rest, turned = (float(contrast) * residual(plane, k) for k in (kernel, kernel.rot90()))
    noise = estimate_noise(middle.mean(-1, keepdim=True)).noise_std
    return BlurEstimate(kernel, describe_kernel(kernel, rest, turned, noise, None if sure else likely))


def find_kernel(plane: Tensor, size: int, pull: Pull, report: Callable[[int], None]) -> Tensor:
    """plane: [H, W], whose gradient has a root mean square of 1."""
    kernel = plane.new_tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    sizes = scales(size)
    for i, n in enumerate(sizes):
        smaller = [round(side * n / size) for side in plane.shape]
        y = periodic(interpolate(plane[None, None], smaller, mode="bilinear", antialias=True)[0, 0], n)
        kernel = tidy(interpolate(kernel[None, None], (n, n), mode="bicubic", align_corners=False)[0, 0])
        for turn in range(TURNS):
            _, edges = sharpen(y, kernel)
            kernel = tidy(fit(edges, gradient(y), n, pull))
            report(i * TURNS + turn + 1)
    return kernel


def scales(size: int) -> list[int]:
    """Odd sizes of the kernel from 3 to `size`, each some root of two times the last."""
    sizes = [size]
    while sizes[-1] > 3:
        sizes.append(max(3, min(int(sizes[-1] / 2**0.5) | 1, sizes[-1] - 2)))
    return sizes[::-1]


def fit(edges: Gradient, blurred: Gradient, size: int, pull: Pull) -> Tensor:
    """The kernel [size, size] that minimizes |k * edges - blurred|^2 + ridge |k - part * Gaussian|^2."""
    sharp = [rfft2(part) for part in edges]
    power = sum(part.abs().square() for part in sharp)
    if not power.any():
        raise ValueError(NO_EDGES)
    common = sum(part.conj() * rfft2(other) for part, other in zip(sharp, blurred, strict=True))
    ridge, (height, width) = RIDGE * power.mean(), blurred[0].shape
    squared = fftfreq(height, device=power.device)[:, None].square() + rfftfreq(width, device=power.device).square()
    small = pull.part * (-2 * (math.pi * pull.std) ** 2 * squared).exp()
    kernel = irfft2((common + ridge * small) / (power + ridge), s=(height, width))
    return kernel.roll((size // 2, size // 2), (0, 1))[:size, :size]


def tidy(kernel: Tensor) -> Tensor:
    """Without what is negative, weak or a small piece apart; its sum one, its mean in the middle."""
    kernel = torch.where(kernel >= LEAST * kernel.max(), kernel, 0.0)
    piece = pieces(kernel > 0)
    mass = kernel.new_zeros(kernel.numel() + 1).index_add(0, piece.flatten(), kernel.flatten())
    kernel = torch.where(mass[piece] >= LEAST * kernel.sum(), kernel, 0.0)
    kernel = kernel / kernel.sum()
    place = torch.arange(len(kernel), device=kernel.device)
    shifts = [len(kernel) // 2 - round(float((kernel.sum(side) * place).sum())) for side in (1, 0)]
    return kernel.roll(shifts, (0, 1))


def pieces(support: Tensor) -> Tensor:
    """A number for each connected part of a bool plane, 8 neighbours to a pixel; 0 outside."""
    numbers = torch.arange(1, support.numel() + 1, device=support.device).view_as(support) * support
    while True:
        grown = max_pool2d(numbers[None].double(), 3, stride=1, padding=1)[0].long() * support
        if torch.equal(grown, numbers):
            return numbers
        numbers = grown


def share_along(plane: Tensor, kernel: Tensor) -> float:
    """Of the sharpened edges' power, the part of slopes in the kernel's longest direction; half for all alike."""
    turn = math.radians(extent(kernel)[2])
    _, (right, down) = sharpen(periodic(plane, len(kernel)), kernel)
    along = right * math.cos(turn) - down * math.sin(turn)
    return float(along.square().sum() / (right.square() + down.square()).sum().clamp_min(1e-12))


def residual(plane: Tensor, kernel: Tensor) -> float:
    """Root mean square of y - k * x for the sharp image x of few edges that fits the kernel best."""
    y = periodic(plane, len(kernel))
    x, _ = sharpen(y, kernel)
    rest = y - irfft2(response(kernel, y.shape) * rfft2(x), s=y.shape)
    return float(rest[: len(plane), : plane.shape[1]].square().mean().sqrt())


def _middle(length: int) -> slice:
    return slice(max(0, (length - WINDOW) // 2), (length + WINDOW) // 2)
