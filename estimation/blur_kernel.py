"""The blur kernel of a photo, from the photo alone.

By turns, a sharp image of few edges for the kernel (`few_edges`), and the kernel that blurs these edges to those of the
photo, by least squares on gradients as in Cho and Lee, "Fast motion deblurring", SIGGRAPH Asia 2009: a division of
spectra. From coarse to fine, as large kernels are small on a small photo.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2
from torch.nn.functional import interpolate, max_pool2d

from ..evaluation.quality import floating
from .blur_report import describe_kernel
from .few_edges import Gradient, gradient, periodic, response, sharpen
from .noise_std import estimate_noise

WINDOW = 512  # px of the photo, which bounds the time
TURNS = 5  # at each scale
RIDGE = 0.3  # of the least squares, in units of the edges' mean power
FLAT = 1e-4  # root mean square of the gradient; a tenth of what rounding to 8 bits makes
LEAST = 0.1  # part of the kernel's maximum, and of its sum for a piece that lies apart, below which it is noise

NO_EDGES = "No edges stand out in the photo, and a blur shows on edges only: use another part of it, or another photo."


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
    kernel = find_kernel(plane, size, report)
    rest, turned = (float(contrast) * residual(plane, k) for k in (kernel, kernel.rot90()))
    noise = estimate_noise(middle.mean(-1, keepdim=True)).noise_std
    return BlurEstimate(kernel, describe_kernel(kernel, rest, turned, noise))


def find_kernel(plane: Tensor, size: int, report: Callable[[int, int], None]) -> Tensor:
    """plane: [H, W], whose gradient has a root mean square of 1."""
    kernel = plane.new_tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    sizes = scales(size)
    for i, n in enumerate(sizes):
        smaller = [round(side * n / size) for side in plane.shape]
        y = periodic(interpolate(plane[None, None], smaller, mode="bilinear", antialias=True)[0, 0], n)
        kernel = tidy(interpolate(kernel[None, None], (n, n), mode="bicubic", align_corners=False)[0, 0])
        for turn in range(TURNS):
            _, edges = sharpen(y, kernel)
            kernel = tidy(fit(edges, gradient(y), n))
            report(i * TURNS + turn + 1, len(sizes) * TURNS)
    return kernel


def scales(size: int) -> list[int]:
    """Odd sizes of the kernel from 3 to `size`, each some root of two times the last."""
    sizes = [size]
    while sizes[-1] > 3:
        sizes.append(max(3, min(int(sizes[-1] / 2**0.5) | 1, sizes[-1] - 2)))
    return sizes[::-1]


def fit(edges: Gradient, blurred: Gradient, size: int) -> Tensor:
    """The kernel [size, size] that minimizes |k * edges - blurred|^2 + ridge |k|^2."""
    sharp = [rfft2(part) for part in edges]
    power = sum(part.abs().square() for part in sharp)
    if not power.any():
        raise ValueError(NO_EDGES)
    common = sum(part.conj() * rfft2(other) for part, other in zip(sharp, blurred, strict=True))
    kernel = irfft2(common / (power + RIDGE * power.mean()), s=blurred[0].shape)
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


def residual(plane: Tensor, kernel: Tensor) -> float:
    """Root mean square of y - k * x for the sharp image x of few edges that fits the kernel best."""
    y = periodic(plane, len(kernel))
    x, _ = sharpen(y, kernel)
    rest = y - irfft2(response(kernel, y.shape) * rfft2(x), s=y.shape)
    return float(rest[: len(plane), : plane.shape[1]].square().mean().sqrt())


def _middle(length: int) -> slice:
    return slice(max(0, (length - WINDOW) // 2), (length + WINDOW) // 2)
