"""Sharp images of few edges: what a blurred photo may have been, for a given kernel.

min over x of |k * x - y|^2 + lambda |grad x|_0, where |.|_0 counts the pixels with an edge: Xu, Zheng and Jia,
"Unnatural L0 sparse representation for natural image deblurring", CVPR 2013. By half-quadratic splitting as in Pan, Hu,
Su and Yang, "Deblurring text images via L0-regularized intensity and gradient prior", CVPR 2014: with g in place of
grad x and a growing penalty beta |grad x - g|^2, g is cut off pixel by pixel and x is a division of spectra.

Planes [H, W] are periodic here; `periodic` makes them so.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

SPARSITY = 0.4  # lambda, for planes whose gradient has a root mean square of 1
PENALTIES = [0.004 * 2**i for i in range(12)]  # beta

Gradient = tuple[Tensor, Tensor]


def sharpen(y: Tensor, kernel: Tensor) -> tuple[Tensor, Gradient]:
    """x and g. kernel: [n, n]; its middle stays in place."""
    blur = response(kernel, y.shape)
    right, down = (response(step, y.shape) for step in steps(kernel))
    fitted, blurred = blur.conj() * rfft2(y), blur.abs().square()
    slopes = right.abs().square() + down.abs().square()
    x = y
    for penalty in PENALTIES:
        edges = cut_off(gradient(x), SPARSITY / penalty)
        toward = right.conj() * rfft2(edges[0]) + down.conj() * rfft2(edges[1])
        x = irfft2((fitted + penalty * toward) / (blurred + penalty * slopes), s=y.shape)
    return x, edges


def edge_cost(y: Tensor, kernel: Tensor) -> float:
    """What is minimized, per pixel: small for the right kernel of several that have the same power spectrum."""
    x, edges = sharpen(y, kernel)
    rest = y - irfft2(response(kernel, y.shape) * rfft2(x), s=y.shape)
    number = (edges[0].square() + edges[1].square() > 0).to(y).mean()
    return float(rest.square().mean() + SPARSITY * number)


def cut_off(gradient: Gradient, least: float) -> Gradient:
    """Zero where the squared magnitude is below `least`."""
    edge = gradient[0].square() + gradient[1].square() >= least
    return gradient[0] * edge, gradient[1] * edge


def gradient(x: Tensor) -> Gradient:
    """Differences to the pixel on the right and to the one below."""
    return x.roll(-1, 1) - x, x.roll(-1, 0) - x


def steps(like: Tensor) -> Gradient:
    """The kernels whose convolution is `gradient`."""
    return like.new_tensor([[1.0, -1.0, 0.0]]), like.new_tensor([[1.0], [-1.0], [0.0]])


def response(kernel: Tensor, size: tuple[int, ...]) -> Tensor:
    """Spectrum of a kernel on a periodic plane; its entry [h // 2, w // 2] is the one that stays in place."""
    plane = kernel.new_zeros(size)
    height, width = kernel.shape
    plane[:height, :width] = kernel
    return rfft2(plane.roll((-(height // 2), -(width // 2)), (0, 1)))


def periodic(y: Tensor, margin: int) -> Tensor:
    """y, lengthened on both sides by `margin` pixels that lead from its last row and column to its first.

    A jump from one border to the other would look like the sharpest edge of the photo.
    """
    way = torch.arange(1, margin + 1, device=y.device, dtype=y.dtype) / (margin + 1)
    y = torch.cat([y, y[-1:] + way[:, None] * (y[:1] - y[-1:])], 0)
    return torch.cat([y, y[:, -1:] + way * (y[:, :1] - y[:, -1:])], 1)
