"""History gradient update, after LDIR (He et al. 2023, arXiv:2307.12070): data steps that remember earlier gradients.

The step of `latent_dps` on a mean of the gradients of all steps so far, newer ones weighing more (momentum):

    m_t = momentum m_t+1 + (1 - momentum) grad_x_t |y - A(D(x0h))|^2
    x_t-1 <- x_t-1 - scale * ab * m_t / (1 - momentum^k)            at the k-th step

The denominator makes the weights sum to 1 from the first step on (Kingma & Ba 2015, "Adam", sec. 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..problem import Denoiser, Problem
from ..schedules import alpha_bar
from .dps import moved
from .guidance import Guided, GuidedDenoiser
from .latent_dps import data_gradient


@dataclass(frozen=True)
class LDIR:
    """scale, stable: as of LatentDPS, which this is at momentum 0. momentum: from 0 to below 1, the weight of the past;
    .9 spans some ten steps, which must not lie far apart in noise level, so it is for samplers of hundreds of steps.

    Under this name MAP-RPS's released code keeps no history, and takes the gradient at the noisy D(x_t-1).
    """

    scale: float = 0.01
    momentum: float = 0.9
    stable: bool = False

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        moment: Tensor | float = 0.0
        weight = 0.0  # 1 - momentum^k, what the weights in `moment` sum to

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            nonlocal moment, weight
            denoised, gradient = data_gradient(problem, denoise, x, sigma, self.stable)
            moment = self.momentum * moment + (1 - self.momentum) * gradient
            weight = 1 - self.momentum * (1 - weight)
            step = self.scale * alpha_bar(sigma) * moment / weight
            return Guided(moved(denoised, step, sigma, next_sigma))

        return guided
