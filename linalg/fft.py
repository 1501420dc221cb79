"""Fourier transforms of planes: the sizes they are fast on, and how to give them a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def fast_size(n: int) -> int:
    """The smallest size, n or above, without prime factors above 7, and even: odd ones take FFTs twice as long."""
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and n % 2 == 0:
            return n
        n += 1


def by_plane(apply: Callable[..., Tensor], x: Tensor, weights: Tensor | None = None) -> Tensor:
    """apply(x) or apply(x, weights) on [B, C, H, W], on the CPU plane by plane.

    There a plane's work fits the cache and takes a third less time, and what threads round at the ends of their shares
    does not depend on how many images there are. weights: [p, q], or one for every image as [B, 1, p, q].
    """
    if x.device.type != "cpu":
        return apply(x) if weights is None else apply(x, weights)
    planes = x.flatten(0, 1).split(1)
    if weights is None:
        parts = [apply(plane) for plane in planes]
    else:
        each = weights.expand(*x.shape[:2], *weights.shape[-2:]).flatten(0, 1)
        parts = [apply(plane, weight) for plane, weight in zip(planes, each, strict=True)]
    return torch.cat(parts).unflatten(0, x.shape[:2])
