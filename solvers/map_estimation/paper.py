"""Stage 1 of MAP-RPS as published (Zhang et al. 2026, arXiv:2605.28711, Theorem 3.3 and its algorithm 1).

    x1   = sqrt(ab) x + sqrt(1 - ab) eps                        fresh eps, one fixed small noise level
    loss = |y - A(D(x))|^2 + w < stopgrad(eps_theta(x1)), x >
    AdamW step on x, cosine learning rate

One denoiser forward per iteration and no backpropagation through it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...linalg.dot import norm
from ..noise import Noise
from ..problem import Callback, Denoiser, Problem, per_image
from ..schedules import alpha_bar
from .estimate import Estimate


@dataclass(frozen=True)
class Paper:
    """steps: iterations; sigma: the fixed noise level, sqrt((1 - ab) / ab); weight: w, or None for the principled

        w* = 2 s^2 / sqrt(ab (1 - ab))         (Theorem 3.3 with r^2 = 1 - ab)

    stable: the data term is |y - A(D(x))| instead of its square.
    """

    steps: int = 300
    sigma: float = 0.04697  # t1 = 10 of the linear DDPM schedule
    weight: float | None = None
    learning_rate: float = 0.5
    final_learning_rate: float = 1e-5
    stable: bool = False

    def __call__(
        self, problem: Problem, denoise: Denoiser, start: Tensor, noise: Noise, callback: Callback
    ) -> Estimate:
        ab = alpha_bar(self.sigma)
        weight = self.weight
        if weight is None:
            weight = 2 * problem.noise_std**2 / math.sqrt(ab * (1 - ab))
        x = start.clone().requires_grad_()
        optimizer = torch.optim.AdamW([x], lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps, self.final_learning_rate)
        previous = start
        for i in range(self.steps):
            with torch.no_grad():
                noisy = x + self.sigma * noise.like(x)
                direction = (noisy - denoise(noisy, per_image(self.sigma, x))) / self.sigma
                previous = x.clone()
            with torch.enable_grad():
                fit = problem.residual(x).square().flatten(1).sum(1)
                fit = fit.sqrt().sum() if self.stable else fit.sum()
                (x.grad,) = torch.autograd.grad(fit, x)
            x.grad += weight * direction
            optimizer.step()
            schedule.step()
            callback(i + 1, self.steps, x.detach())
        image = x.detach()
        change = norm(image - previous) / norm(image)
        return Estimate(image, self.steps, problem.relative_residual(image), change.flatten())
