"""How a raw network output becomes a denoised image (Karras et al. 2022, table 1 and eq. 7).

The noise condition is 4 ln(sigma) in place of their ln(sigma)/4: ADM's sinusoidal embedding, made for steps 0..999,
resolves the wider range better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Scaling(NamedTuple):
    """denoised = skip * x + output * network(input * x, noise), with x = x0 + sigma * eps."""

    skip: Tensor
    output: Tensor
    input: Tensor
    noise: Tensor


@dataclass(frozen=True)
class EDM:
    """EDM preconditioning for data of standard deviation sigma_data (model units)."""

    sigma_data: float = 0.5

    def scaling(self, sigma: Tensor) -> Scaling:
        total = torch.sqrt(sigma**2 + self.sigma_data**2)
        return Scaling(
            skip=(self.sigma_data / total) ** 2,
            output=sigma * self.sigma_data / total,
            input=1 / total,
            noise=4 * sigma.log(),
        )
