"""GMRES (Saad & Schultz, 1986), every image of the batch its own system."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gmres(
    apply: Callable[[Tensor], Tensor], target: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Minimize |apply(x) - target| over the Krylov space of target, from zero.

    target: [B, ...]; apply: linear per image, symmetric or not. An image is done when its residual is at most
    `tolerance` times its target's norm, or after `max_iterations` products; then its x stays, whatever others in the
    batch still need.

    Returns x and the relative residual per image, [B].
    """
    shape, b = target.shape, target.flatten(1)
    tiny = torch.finfo(b.dtype).tiny
    beta = b.norm(dim=1, keepdim=True)
    basis = [b / beta.clamp_min(tiny)]
    hessenberg = b.new_zeros(len(b), max_iterations + 1, max_iterations)
    weights = b.new_zeros(len(b), max_iterations, 1)
    relative = (beta[:, 0] > 0).to(b.dtype)
    for k in range(max_iterations):
        moving = ~(relative <= tolerance)  # True for NaN
        if not moving.any():
            break
        w = apply(basis[k].view(shape)).flatten(1)
        for _ in range(2):  # a second pass keeps the basis orthogonal in float32
            for j, v in enumerate(basis):
                overlap = (v * w).sum(1, keepdim=True)
                hessenberg[:, j, k] += overlap[:, 0]
                w = w - overlap * v
        length = w.norm(dim=1, keepdim=True)
        hessenberg[:, k + 1, k] = length[:, 0]
        basis.append(w / length.clamp_min(tiny))
        small = hessenberg[:, : k + 2, : k + 1]
        right = b.new_zeros(len(b), k + 2, 1)
        right[:, 0] = beta
        y = torch.linalg.pinv(small) @ right
        reached = (right - small @ y).norm(dim=1)[:, 0] / beta[:, 0].clamp_min(tiny)
        weights[:, : k + 1] = torch.where(moving[:, None, None], y, weights[:, : k + 1])
        relative = torch.where(moving, reached, relative)
    x = sum((v * weights[:, j] for j, v in enumerate(basis[:max_iterations])), torch.zeros_like(b))
    return x.view(shape), relative
