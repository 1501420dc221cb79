from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import cancel


def largest_eigenvalue(
    apply: Callable[[Tensor], Tensor], start: Tensor, tolerance: float = 1e-5, max_iterations: int = 200
) -> float:
    """Largest eigenvalue of a symmetric positive semi-definite `apply`, from below, by Lanczos iteration (1950).

    start: what to apply it to first, of any shape; it must not be orthogonal to the eigenvector.
    tolerance: the iteration ends when ten more steps have raised the eigenvalue by no more than this part of it.

    It is that of the tridiagonal matrix of the iteration, which lost orthogonality repeats but does not exceed.
    """
    direction, previous, off = start / start.norm(), torch.zeros_like(start), 0.0
    diagonal: list[float] = []
    sides: list[float] = []
    found: list[float] = []
    for _ in range(max_iterations):
        cancel.ask()
        image = apply(direction) - off * previous
        diagonal.append(float((direction * image).sum()))
        matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        matrix += torch.diag(torch.tensor(sides, dtype=torch.float64), -1)  # eigvalsh reads the lower half
        found.append(float(torch.linalg.eigvalsh(matrix)[-1]))
        image = image - diagonal[-1] * direction
        off = float(image.norm())
        if off <= tolerance * found[-1] or (len(found) > 10 and found[-1] - found[-11] <= tolerance * found[-1]):
            break
        sides.append(off)
        previous, direction = direction, image / off
    return found[-1]
