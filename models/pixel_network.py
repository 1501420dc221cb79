"""A pixel-space diffusion network with all that is needed to denoise with it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .adm import ADM, ADMConfig
from .preconditioning import DDPM, EDM


@dataclass(frozen=True)
class PixelNetwork:
    """network: raw output; preconditioning: what it was trained with. Callable as the solvers' Denoiser."""

    network: ADM
    preconditioning: DDPM | EDM

    @property
    def config(self) -> ADMConfig:
        return self.network.config

    @property
    def sigma_min(self) -> float:
        return self.preconditioning.sigma_min

    @property
    def sigma_max(self) -> float:
        return self.preconditioning.sigma_max

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x] for x = x0 + sigma * eps. x [B, 3, H, W] in [-1, 1] units, sigma [B]."""
        scaling = self.preconditioning.scaling(sigma.view(-1, 1, 1, 1))
        raw = self.network(scaling.input * x, scaling.noise.flatten())[:, :3]
        return scaling.skip * x + scaling.output * raw
