"""Muon: momentum orthogonalized by Newton-Schulz, for convolution and linear weights (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
WEIGHT_DECAY = 0.01


class Muon(torch.optim.Optimizer):
    """Weights of one shape are orthogonalized together: a GPU is as quick with many small matrices as with one."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[Tensor]] = {}
            for p in group["params"]:
                shapes.setdefault((p.shape[0], p[0].numel()), []).append(p)
            for (rows, columns), weights in shapes.items():
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                torch._foreach_mul_(weights, 1 - group["lr"] * WEIGHT_DECAY)
                for p, update in zip(weights, orthogonalize(self._updates(weights)), strict=True):
                    p.add_(update.view_as(p), alpha=-rate)

    def _updates(self, weights: list[Tensor]) -> Tensor:
        """Nesterov's momentum of each weight, [N, rows, columns]."""
        gradients = [p.grad for p in weights if p.grad is not None]
        for p in weights:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum"] for p in weights]
        torch._foreach_lerp_(buffers, gradients, 1 - MOMENTUM)
        return torch.stack([g.lerp(b, MOMENTUM).flatten(1) for g, b in zip(gradients, buffers, strict=True)])


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """[N, rows, columns] to about the nearest matrices whose singular values are 1; in bfloat16 on a GPU."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if x.is_cuda else x
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if tall else x).float()
