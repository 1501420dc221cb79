"""Blur kernels and masks as pictures."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .enlarge import enlarge, least_factor


class KernelPicture(NamedTuple):
    """IMAGEs [K, h, w, 3], float32, each kernel's maximum at 1: pixel by pixel, and enlarged to be looked at.

    Negative entries stay negative, and black.
    """

    exact: Tensor
    shown: Tensor


def kernel_picture(kernels: Tensor) -> KernelPicture:
    """kernels: [h, w], or [K, h, w]."""
    kernels = kernels.reshape(-1, *kernels.shape[-2:])
    exact = _grey(kernels / kernels.amax((1, 2), keepdim=True))
    return KernelPicture(exact, _readable(exact))


def mask_picture(masks: Tensor) -> Tensor:
    """MASK [K, h, w] as IMAGE, enlarged where it is small."""
    return _readable(_grey(masks))


def _grey(planes: Tensor) -> Tensor:
    return planes.float()[..., None].expand(-1, -1, -1, 3)


def _readable(images: Tensor) -> Tensor:
    return enlarge(images, least_factor(max(images.shape[1:3])))
