"""DPS on latents, with the steps of MAP-RPS's released code (Zhang et al. 2026, arXiv:2605.28711, its stage 2).

    x_t-1 <- x_t-1 - scale * ab * grad_x_t |y - A(D(x0h))|^2,      x_t = sqrt(ab) x_sigma

after an ancestral step; `dps` restates it as a change of the denoised latent. The gradient holds d x0h / d x_t twice,
each up to 1 / sqrt(ab), which ab takes out: for a linear A D and a Gaussian prior, the steps are stable at every noise
level while scale |A D|^2 < 1, or 1/2 with the second-order sampler, which extrapolates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...linalg.dot import norm
from ..problem import Denoiser, Problem
from ..schedules import alpha_bar
from .dps import moved
from .guidance import Guided, GuidedDenoiser, denoise_with_graph


@dataclass(frozen=True)
class LatentDPS:
    """scale: the step size, for each of the 1000 steps of the paper's schedule; fewer steps ask for a larger one.
    Released: for the FFHQ latent model .015 denoising, .05 inpainting, .08 super-resolution x4, .04 deblurring; for
    Stable Diffusion 1.5 .01 inpainting, .1 super-resolution x4 and deblurring, and with `stable` .5 HDR, 1.5 compressed
    sensing and nonlinear deblurring. The default is the smallest of these: too small a step leaves some residual, too
    large a one diverges.
    stable: |y - A(D(x0h))| instead of its square: a step that does not grow with the residual.

    For Stable Diffusion 1.5 that code also clamps D(x0h) to [-1, 1]; here a decoder does so or does not.
    """

    scale: float = 0.01
    stable: bool = False

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            denoised, gradient = data_gradient(problem, denoise, x, sigma, self.stable)
            step = self.scale * alpha_bar(sigma) * gradient
            return Guided(moved(denoised, step, sigma, next_sigma))

        return guided


def data_gradient(problem: Problem, denoise: Denoiser, x: Tensor, sigma: float, stable: bool) -> tuple[Tensor, Tensor]:
    """The denoised latent and grad_x_t |y - A(D(x0h))|^2, or without the square where stable. [B, C, H, W] each."""
    leaf, denoised = denoise_with_graph(denoise, x, sigma)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(distance(problem.residual(denoised), stable), leaf)
    return denoised.detach(), gradient / math.sqrt(alpha_bar(sigma))


def distance(difference: Tensor, stable: bool) -> Tensor:
    """|difference|^2 per image, or |difference| where stable, summed: no image has a part in another's gradient."""
    return norm(difference).sum() if stable else difference.square().sum()
