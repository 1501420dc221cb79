"""Decoupled data consistency, after DCDP (Li et al. 2024, arXiv:2403.06054): no backpropagation through the denoiser.

    z <- x0h;  `steps` times:  z <- an optimizer's step on |y - A(D(z))|^2

What differs from the paper: it re-encodes D(z) after each of 4 to 20 such phases of 50 to 250 steps (gradient descent
with momentum), re-noises it in full and denoises anew. Here the sampler goes on from x_sigma with z as its denoised
latent, as with any other guidance, after fewer steps. Adam (Kingma & Ba 2015) makes the step size a length in latent
units, whatever A and D are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...linalg import cancel
from ..problem import Denoiser, Problem, per_image
from .guidance import Guided, GuidedDenoiser


@dataclass(frozen=True)
class DCDP:
    """scale: Adam's step size, about the most that one step changes an entry of z by; steps: decoder forward and
    backward passes at each noise level. The more of both, the more of the measurement's noise comes into z: nothing
    here weighs y against the prior. MAP-RPS's released code re-noises in full as well, after 2 steps of AdamW for the
    FFHQ latent model (its scale there that of LatentDPS), and 100 of size .1 for Stable Diffusion 1.5.
    """

    scale: float = 0.1
    steps: int = 5

    differentiates: ClassVar[bool] = False

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            z = denoise(x, per_image(sigma, x)).detach().clone().requires_grad_()
            optimizer = torch.optim.Adam([z], lr=self.scale)
            for _ in range(self.steps):
                cancel.ask()
                with torch.enable_grad():
                    (z.grad,) = torch.autograd.grad(problem.residual(z).square().sum(), z)
                optimizer.step()
            return Guided(z.detach())

        return guided
