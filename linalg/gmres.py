"""GMRES (Saad & Schultz, 1986), every image of the batch its own system."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import cancel
from .dot import dot, norm


def gmres(
    apply: Callable[[Tensor], Tensor], target: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Minimize |apply(x) - target| over the Krylov space of target, from zero.

    target: [B, ...]; apply: linear per image, symmetric or not. An image is done when its residual is at most
    `tolerance` times its target's norm, or after `max_iterations` products; then its x stays, whatever others in the
    batch still need. The basis is orthogonal to the rounding over `tolerance`.

    Returns x and the relative residual per image, [B].
    """
    tiny = torch.finfo(target.dtype).tiny
    beta = norm(target)
    basis = [target / beta.clamp_min(tiny)]
    # The small systems are solved on the CPU, which waits for a GPU once an iteration, and in float64.
    hessenberg = np.zeros((len(target), max_iterations + 1, max_iterations))
    weights = np.zeros((len(target), max_iterations))
    relative = np.ones(len(target))
    for k in range(max_iterations):
        cancel.ask()
        moving = ~(relative <= tolerance)  # True for NaN
        if not moving.any():
            break
        w = apply(basis[k])
        column = []
        for v in basis:  # modified Gram-Schmidt
            column.append(dot(v, w))
            w = w - column[-1] * v
        length = norm(w)
        basis.append(w / length.clamp_min(tiny))
        numbers = torch.cat([beta, *column, length], 1).flatten(1).cpu().double().numpy()
        hessenberg[:, : k + 2, k] = numbers[:, 1:]
        for image in moving.nonzero()[0]:
            small, right = hessenberg[image, : k + 2, : k + 1], np.zeros(k + 2)
            right[0] = numbers[image, 0]
            if not np.isfinite(small).all():
                weights[image] = relative[image] = np.nan  # as is the answer to a question with NaN
                continue
            y = np.linalg.lstsq(small, right, rcond=None)[0]
            weights[image, : k + 1] = y
            relative[image] = np.linalg.norm(right - small @ y) / max(right[0], tiny)
    x = torch.zeros_like(target)
    for v, weight in zip(basis, torch.from_numpy(weights).to(target).unbind(1), strict=False):
        x = x + v * weight.view_as(beta)
    return x, torch.from_numpy(relative).to(target)
