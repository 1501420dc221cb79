"""GMRES (Saad & Schultz, 1986), every image of the batch its own system."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import cancel
from .dot import norm

AT_ONCE = 2**22
"""Numbers per image that one step of the orthogonalization takes: few steps for small images, little memory for large
ones."""


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
    basis = target.new_empty(len(target), max_iterations + 1, *target.shape[1:])
    basis[:, 0] = target / beta.clamp_min(tiny)
    # The small systems are solved on the CPU, which waits for a GPU once an iteration, and in float64.
    hessenberg = np.zeros((len(target), max_iterations + 1, max_iterations))
    weights = np.zeros((len(target), max_iterations))
    relative = np.ones(len(target))
    for k in range(max_iterations):
        cancel.ask()
        moving = ~(relative <= tolerance)  # True for NaN
        if not moving.any():
            break
        w, column = _orthogonal(basis[:, : k + 1], apply(basis[:, k]))
        length = norm(w)
        basis[:, k + 1] = w / length.clamp_min(tiny)
        numbers = torch.cat([beta.flatten(1), column, length.flatten(1)], 1).cpu().double().numpy()
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
    found = int(weights.any(0).sum())  # nothing is written in the basis beyond
    x = torch.zeros_like(target)
    for k, weight in enumerate(torch.from_numpy(weights[:, :found]).to(target).unbind(1)):
        x = x + basis[:, k] * weight.view_as(beta)
    return x, torch.from_numpy(relative).to(target)


def _orthogonal(basis: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The part of w, [B, ...], that is orthogonal to basis[:, i], and the weights of those in the rest, [B, k].

    Gram and Schmidt's way, as many at once as AT_ONCE allows, and twice for what rounding leaves (Giraud et al. 2005).
    """
    weights = w.new_zeros(len(w), basis.shape[1])
    for _ in range(2):
        taken = []
        for some in basis.split(max(1, AT_ONCE // w[0].numel()), 1):
            weight = (
                (some * w[:, None]).sum(-1).reshape(len(some), some.shape[1], -1).sum(-1)
            )  # row by row, as in `dot`
            w = w - (some * weight.view(*weight.shape, *[1] * (w.ndim - 1))).sum(1)
            taken.append(weight)
        weights = weights + torch.cat(taken, 1)
    return w, weights
