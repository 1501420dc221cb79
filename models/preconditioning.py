"""How a raw network output becomes a denoised image.

Both families are written as Karras et al. 2022 (arXiv:2206.00364, table 1 and eq. 7) write them, for the
variance-exploding x = x0 + sigma * eps in model units, [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .schedules import ddpm_sigmas


class Scaling(NamedTuple):
    """denoised = skip * x + output * network(input * x, noise), with x = x0 + sigma * eps."""

    skip: Tensor
    output: Tensor
    input: Tensor
    noise: Tensor


@dataclass(frozen=True)
class EDM:
    """EDM preconditioning for data of standard deviation sigma_data (model units).

    The noise condition is 4 ln(sigma) in place of their ln(sigma)/4: ADM's sinusoidal embedding, made for steps 0..999,
    resolves the wider range better.
    """

    sigma_data: float = 0.5
    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def scaling(self, sigma: Tensor) -> Scaling:
        total = torch.sqrt(sigma**2 + self.sigma_data**2)
        return Scaling(
            skip=(self.sigma_data / total) ** 2,
            output=sigma * self.sigma_data / total,
            input=1 / total,
            noise=4 * sigma.log(),
        )


@dataclass(frozen=True)
class DDPM:
    """A network that predicts eps from sqrt(ab_t) x0 + sqrt(1 - ab_t) eps and t = 0..999, on DDPM's linear schedule.

    Between the schedule's noise levels, t is linear in ln(sigma).
    """

    steps: int = 1000

    @property
    def sigma_min(self) -> float:
        return float(ddpm_sigmas(self.steps)[0])

    @property
    def sigma_max(self) -> float:
        return float(ddpm_sigmas(self.steps)[-1])

    def scaling(self, sigma: Tensor) -> Scaling:
        return Scaling(
            skip=torch.ones_like(sigma),
            output=-sigma,
            input=1 / torch.sqrt(sigma**2 + 1),
            noise=self._step(sigma.log()),
        )

    def _step(self, log_sigma: Tensor) -> Tensor:
        levels = ddpm_sigmas(self.steps).log().to(log_sigma)
        above = torch.searchsorted(levels, log_sigma).clamp(1, self.steps - 1)
        low, high = levels[above - 1], levels[above]
        return (above - 1 + (log_sigma - low) / (high - low)).clamp(0, self.steps - 1)
