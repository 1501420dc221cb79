"""GCR (Eisenstat, Elman & Schultz 1983) with any preconditioner, also one that iterates itself (GMRESR, van der Vorst &
Vuik 1994)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import cancel
from .dot import dot, norm


def gcr(
    step: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor, tolerance: float, max_iterations: int
) -> Tensor:
    """x with little |target - A x|, as the combination of steps for which that is least, every image for itself.

    target: [B, ...]; step(residual) = (z, A z), with z about A^-1 residual; or (L z, A z), for L x with a linear L. An
    image is done when its residual is at most `tolerance` times its target's norm, or after `max_iterations` steps;
    then its answer stays, whatever others in the batch still need.
    """
    tiny = torch.finfo(target.dtype).tiny
    residual, answer = target, None
    past: list[tuple[Tensor, Tensor]] = []
    for _ in range(max_iterations):
        cancel.ask()
        moving = norm(residual) > tolerance * norm(target)
        if not moving.any() and answer is not None:
            break
        moved, image = step(residual)
        for earlier, its_image in past:  # modified Gram-Schmidt on the images
            share = dot(its_image, image)
            moved, image = moved - share * earlier, image - share * its_image
        length = norm(image).clamp_min(tiny)
        moved, image = moved / length, image / length
        past.append((moved, image))
        share = torch.where(moving, dot(residual, image), 0)
        residual = residual - share * image
        answer = share * moved if answer is None else answer + share * moved
    assert answer is not None
    return answer
