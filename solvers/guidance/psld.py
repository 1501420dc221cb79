"""Posterior sampling with latent diffusion, PSLD (Rout et al. 2023, arXiv:2307.00619, algorithm 2).

    x_t-1 <- x_t-1 - scale * ab * grad_x_t ( |y - A(D(x0h))|^2 + gluing |x0h - E(D(x0h) + A^T (y - A D(x0h)))|^2 )

The second term glues what was measured to the rest: x0h is to be the latent of its own image with the measured part put
in. A^T puts it in whole where A A^T = I, as the paper has it; here A^T / |A|^2 does, wherever A A^T is a multiple of I.
For box super-resolution that is nearest-neighbour upsampling, which the paper's code takes for the transpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..problem import Denoiser, Problem
from ..schedules import alpha_bar
from .dps import moved
from .guidance import Guided, GuidedDenoiser, denoise_with_graph
from .latent_dps import distance
from .linear import require_linear


@dataclass(frozen=True)
class PSLD:
    """scale, stable: as of LatentDPS, on both terms, which is how MAP-RPS's released code steps (with its lam .1 for
    gluing). The paper's code has no ab and takes norms without squares, weighted 1 and .1 for Stable Diffusion 1.5
    (box inpainting .1 and .01), and .1 and .1 for the FFHQ latent model (super-resolution x4 .9 and .1).

    Both codes add fresh measurement noise to A(D(x0h)), which the gradient here goes without; MAP-RPS's also takes the
    argument of E for a constant. Costs an encoder, with its gradient, beside the decoder. Raises ValueError for an A
    that is not linear and for a problem without an encoder.
    """

    scale: float = 0.01
    gluing: float = 0.1
    stable: bool = False

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        operator = require_linear(problem, "PSLD")
        encoder = problem.encoder
        if encoder is None:
            raise ValueError("PSLD needs an encoder beside the decoder: choose another guidance for this model.")

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            leaf, denoised = denoise_with_graph(denoise, x, sigma)
            with torch.enable_grad():
                image = problem.decoder(denoised)
                residual = operator.keep(problem.measurement - operator(image))
                glued = image + operator.adjoint(residual) / operator.norm**2
                loss = distance(residual, self.stable)
                loss = loss + self.gluing * distance(denoised - encoder(glued), self.stable)
                (gradient,) = torch.autograd.grad(loss, leaf)
            step = self.scale * math.sqrt(alpha_bar(sigma)) * gradient
            return Guided(moved(denoised.detach(), step, sigma, next_sigma))

        return guided
