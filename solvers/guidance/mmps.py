"""Moment matching posterior sampling (Rozet et al. 2024, "Learning diffusion priors from observations by EM").

With Cov[x0 | x_sigma] = sigma^2 d x0h / d x (Tweedie), and J = A (d x0h / d x):

    x0h + sigma^2 J^T (s^2 I + sigma^2 J A^T)^-1 (y - A x0h)

solved by GMRES to a tolerance, one Jacobian product a step. The Jacobian of a true posterior mean is symmetric, so that
products with its transpose serve. Exact for a Gaussian prior. Through a decoder, A stands for A(D(.)) linearized at
x0h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...linalg.dot import norm
from ...linalg.gmres import gmres
from ..denoising_covariance import denoising_covariance
from ..problem import Denoiser, Problem
from .guidance import Guided, GuidedDenoiser, denoise_with_graph

DIFFERENCE = 1e-2  # of the image's norm; networks' kernels seldom know forward derivatives, so these are differences


@dataclass(frozen=True)
class MMPS:
    """tolerance: GMRES stops at this residual relative to y - A x0h, per image, or after `products` products."""

    tolerance: float = 1e-2
    products: int = 20

    differentiates: ClassVar[bool] = True

    def __call__(self, problem: Problem, denoise: Denoiser) -> GuidedDenoiser:
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

            def precondition(u: Tensor) -> Tensor:
                # The inverse for a covariance that is a multiple of I: a good one, and it costs no Jacobian product.
                return problem.solve(u, variance) if problem.linear else u

            def normal(u: Tensor) -> Tensor:
                w = precondition(u)
                return problem.noise_std**2 * w + push(covariance(w))

            variance = denoising_covariance(x, center, sigma).variance
            u, _ = gmres(normal, problem.residual(center), self.tolerance, self.products)
            return Guided(center + covariance(precondition(u)))

        return guided
