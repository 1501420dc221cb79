"""GMRES (Saad & Schultz, 1986), every image of the batch its own system."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gmres(
    apply: Callable[[Tensor], Tensor], target: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Minimize |apply(x) - target| over the Krylov space of target, from zero.

    target: [B, ...]; apply: linear per image, symmetric or not. Stops when every image's residual is at most
    `tolerance` times its target's norm, or after `max_iterations` products.

    Returns x and the relative residual per image, [B].
    """
    shape, b = target.shape, target.flatten(1)
    beta = b.norm(dim=1, keepdim=True)
    basis = [b / beta.clamp_min(torch.finfo(b.dtype).tiny)]
    hessenberg = b.new_zeros(len(b), max_iterations + 1, max_iterations)
    relative = torch.ones_like(beta[:, 0])
    y = None
    for k in range(max_iterations):
        w = apply(basis[k].view(shape)).flatten(1)
        for _ in range(2):  # a second pass keeps the basis orthogonal in float32
            for j, v in enumerate(basis):
                overlap = (v * w).sum(1, keepdim=True)
                hessenberg[:, j, k] += overlap[:, 0]
                w = w - overlap * v
        length = w.norm(dim=1, keepdim=True)
        hessenberg[:, k + 1, k] = length[:, 0]
        basis.append(w / length.clamp_min(torch.finfo(b.dtype).tiny))
        small = hessenberg[:, : k + 2, : k + 1]
        right = b.new_zeros(len(b), k + 2, 1)
        right[:, 0] = beta
        y = torch.linalg.pinv(small) @ right
        relative = (right - small @ y).norm(dim=1)[:, 0] / beta[:, 0].clamp_min(torch.finfo(b.dtype).tiny)
        if (relative <= tolerance).all():
            break
    x = sum(basis[j] * y[:, j] for j in range(y.shape[1]))
    return x.view(shape), relative
