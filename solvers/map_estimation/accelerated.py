"""The annealed map, then Anderson acceleration of its last fixed point (Anderson 1965; Walker & Ni 2011, type II).

Converges to the MAP of the prior smoothed by sigma_end in tens of calls where the denoiser is close to linear. A
learned denoiser is only right on noisy images; on those, `Annealed` is the better choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...linalg.dot import norm
from ..noise import Noise
from ..problem import Callback, Denoiser, Problem
from ..schedules import log_sigmas
from .annealed import fixed_point_step
from .estimate import Estimate


@dataclass(frozen=True)
class Accelerated:
    """At most `steps` denoiser calls, the first `anneal` of which fall from sigma_start to sigma_end.

    An image is done when its change per call is at most `tolerance` of its norm; the run stops when all are. memory:
    how many earlier iterates are combined; safeguard: when an iterate's change exceeds this multiple of the least seen
    so far, the memory is dropped and the iteration goes on from the best iterate.
    """

    steps: int = 40
    anneal: int = 5
    sigma_start: float = 1.0
    sigma_end: float = 0.05
    memory: int = 16
    safeguard: float = 2.0
    tolerance: float = 1e-6

    def __call__(
        self, problem: Problem, denoise: Denoiser, start: Tensor, noise: Noise, callback: Callback
    ) -> Estimate:
        x = start
        anneal = min(self.anneal, self.steps - 1)
        for i, sigma in enumerate(log_sigmas(self.sigma_start, self.sigma_end, anneal)[:-1]):
            x = fixed_point_step(problem, denoise, x, sigma)
            callback(i + 1, self.steps, x)

        points: list[Tensor] = []
        changes: list[Tensor] = []
        best, least = x, torch.full_like(norm(x), torch.inf)
        moving = torch.ones_like(least, dtype=torch.bool)
        calls = anneal
        for calls in range(anneal + 1, self.steps + 1):
            mapped = fixed_point_step(problem, denoise, x, self.sigma_end)
            change = mapped - x
            size = norm(change)
            restart = size > self.safeguard * least
            better = moving & (size < least)
            best = torch.where(better, mapped, best)
            least = torch.where(better, size, least)
            moving = least > self.tolerance * norm(best)
            if not moving.any():
                callback(self.steps, self.steps, best)
                break
            callback(calls, self.steps, best)
            points = [*points, mapped][-self.memory - 1 :]
            changes = [*changes, change][-self.memory - 1 :]
            x = torch.where(restart, best, _extrapolate(points, changes))
            if restart.any():  # a restarted image gets no weight from its past: its differences become zero
                points = [torch.where(restart, points[-1], p) for p in points]
                changes = [torch.where(restart, changes[-1], c) for c in changes]
        return Estimate(best, calls, problem.relative_residual(best), (least / norm(best)).flatten())


def _extrapolate(points: list[Tensor], changes: list[Tensor]) -> Tensor:
    """The affine combination of mapped points whose combined change is least, per image."""
    if len(points) == 1:
        return points[0]
    moved = torch.stack([points[-1] - p for p in points[:-1]], dim=1).flatten(2)
    differences = torch.stack([changes[-1] - c for c in changes[:-1]], dim=1).flatten(2)
    # Image by image: how a product of the whole batch is summed depends on its size.
    gram = torch.stack([d @ d.T for d in differences]).double()
    right = torch.stack([d @ c for d, c in zip(differences, changes[-1].flatten(1), strict=True)])[:, :, None].double()
    weights = torch.linalg.pinv(gram, rtol=1e-10, hermitian=True) @ right
    return points[-1] - (weights.to(moved.dtype).transpose(1, 2) @ moved).view_as(points[-1])
