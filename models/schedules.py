"""The noise levels that published models were trained on, sigma^2 = (1 - ab) / ab for the discrete alpha-bar ab."""

from __future__ import annotations

import torch
from torch import Tensor


def ddpm_sigmas(steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 2e-2) -> Tensor:
    """The linear schedule of DDPM (Ho et al. 2020, sec. 4), that of the ADM models. [steps], ascending, float64."""
    alphas_cumprod = (1 - torch.linspace(beta_start, beta_end, steps, dtype=torch.float64)).cumprod(0)
    return ((1 - alphas_cumprod) / alphas_cumprod).sqrt()


def stable_diffusion_sigmas(steps: int = 1000, beta_start: float = 8.5e-4, beta_end: float = 1.2e-2) -> Tensor:
    """The schedule of latent diffusion (Rombach et al. 2022), evenly spaced roots of beta; the ends are those of Stable
    Diffusion. [steps], ascending, float64."""
    betas = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float64) ** 2
    alphas_cumprod = (1 - betas).cumprod(0)
    return ((1 - alphas_cumprod) / alphas_cumprod).sqrt()
