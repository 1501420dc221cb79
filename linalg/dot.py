"""Inner products and norms, per image of a batch."""

from __future__ import annotations

from torch import Tensor


def dot(u: Tensor, v: Tensor) -> Tensor:
    """<u, v> per image, [B, ...] to [B, 1, ...]: shaped to multiply u.

    Row by row first: threads share out one long sum in a way that depends on how many images there are.
    """
    return (u * v).sum(-1).reshape(len(u), -1).sum(1).view(-1, *[1] * (u.ndim - 1))


def norm(u: Tensor) -> Tensor:
    """Euclidean norm per image, [B, ...] to [B, 1, ...]."""
    return dot(u, u).sqrt()
