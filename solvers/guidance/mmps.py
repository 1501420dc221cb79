"""Moment matching posterior sampling (Rozet et al. 2024, "Learning diffusion priors from observations by EM").

With Cov[x0 | x_sigma] = sigma^2 d x0h / d x (Tweedie), and J = A (d x0h / d x):

    x0h + sigma^2 J^T (s^2 I + sigma^2 J A^T)^-1 (y - A x0h)

solved to a tolerance, one Jacobian product a step. The Jacobian of a true posterior mean is symmetric, so that products
with its transpose serve. Exact for a Gaussian prior. Linear problems are solved by GCR, preconditioned by the inverse
for the stationary part of the covariance, which is `proximal`'s and costs no product: two or three are left to take, a
quarter of what GMRES takes from scratch. Through a decoder, A stands for A(D(.)) linearized at x0h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...linalg.dot import norm
from ...linalg.gcr import gcr
from ...linalg.gmres import gmres
from ..denoising_covariance import denoising_covariance
from ..problem import Denoiser, Problem
from ..proximal import stationary_weights
from .guidance import Guided, GuidedDenoiser, denoise_with_graph
from .noisy_image import denoised_with

DIFFERENCE = 1e-2  # of the image's norm; networks' kernels seldom know forward derivatives, so these are differences


@dataclass(frozen=True)
class MMPS:
    """tolerance: of the residual relative to y - A x0h, per image; or it stops after so many products with Cov[x0 | x].

    preconditioned: for linear problems. A network's Jacobian is not quite symmetric, and after three products more of
    them change nothing that is seen. products: for others.
    """

    tolerance: float = 1e-2
    preconditioned: int = 3
    products: int = 20

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
        if problem.noisy_image is not None:  # what the moments are matched for is known
            return denoised_with(*problem.noisy_image, denoise)

        def measure(z: Tensor) -> Tensor:
            return problem.operator.keep(problem.operator(problem.decoder(z)))

        def guided(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            leaf, denoised = denoise_with_graph(denoise, x, sigma)
            center = denoised.detach()
            with torch.enable_grad():
                measured = measure(denoised)

            def covariance(weights: Tensor) -> Tensor:
                """Cov[x0 | x] A^T weights."""
                (gradient,) = torch.autograd.grad(measured, leaf, weights, retain_graph=True)
                return sigma**2 * gradient

            def push(v: Tensor) -> Tensor:
                if problem.linear:
                    return measure(v)
                reach = DIFFERENCE * norm(center) / norm(v).clamp_min(torch.finfo(v.dtype).tiny)
                return (measure(center + reach * v) - measure(center - reach * v)) / (2 * reach)

            if problem.linear:
                stationary = denoising_covariance(x, center, sigma)

                def step(residual: Tensor) -> tuple[Tensor, Tensor]:
                    weights = stationary_weights(problem, residual, stationary)
                    moved = covariance(weights)
                    return moved, problem.noise_std**2 * weights + push(moved)

                return Guided(center + gcr(step, problem.residual(center), self.tolerance, self.preconditioned))

            def normal(w: Tensor) -> Tensor:
                return problem.noise_std**2 * w + push(covariance(w))

            w, _ = gmres(normal, problem.residual(center), self.tolerance, self.products)
            return Guided(center + covariance(w))

        return guided
