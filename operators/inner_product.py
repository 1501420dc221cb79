"""Inner products of images."""

from __future__ import annotations

from torch import Tensor


def inner_product(u: Tensor, v: Tensor) -> Tensor:
    """<u, v> per image, [B, ...] to [B].

    Row by row first: threads share out one long sum in a way that depends on how many images there are.
    """
    return (u * v).sum(-1).reshape(len(u), -1).sum(1)


def dot(u: Tensor, v: Tensor) -> Tensor:
    """<u, v> per image, shaped to multiply u: [B, 1, ...]."""
    return inner_product(u, v).view(-1, *[1] * (u.ndim - 1))
