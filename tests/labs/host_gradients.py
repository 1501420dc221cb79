"""How right a gradient through a MODEL or a VAE of the host is. Needs comfy."""

from __future__ import annotations

from typing import NamedTuple

import comfy.model_patcher
import torch

from maprps.host.run import Conditioning, Workload, run_solver
from maprps.host.vae import HostVAE


class GradientError(NamedTuple):
    """error: of the gradient of c . D(x) along a random direction, against a difference of fourth order, relative to
    what is typical of a random direction. network: how much of the gradient is not that of the identity. value: how far
    D(x) with a graph is from D(x) without."""

    error: float
    network: float
    value: float


def gradient_error(
    model: comfy.model_patcher.ModelPatcher,
    shape: tuple[int, ...],
    sigma: float = 0.5,
    step: float = 0.005,
    **conditioning,
) -> GradientError:
    def solve(denoise, callback):
        generator = torch.Generator().manual_seed(3)
        x, c, direction = (torch.randn(shape, generator=generator) for _ in range(3))
        sigmas = torch.full((1,), sigma)
        values = [denoise(x + h * step * direction, sigmas).double() for h in (-2, -1, 1, 2, 0)]
        with torch.enable_grad():
            x.requires_grad_()
            denoised = denoise(x, sigmas)
            (gradient,) = torch.autograd.grad((c * denoised).sum(), x)
        weights = torch.tensor([1, -8, 8, -1, 0]) / (12 * step)
        difference = sum(w * (c * value).sum() for w, value in zip(weights, values, strict=True))
        typical = gradient.norm() * direction.norm() / gradient.numel() ** 0.5
        error = (difference - (gradient.double() * direction).sum()).abs() / typical
        network = (gradient - c).norm() / c.norm()
        value = (denoised.detach() - values[-1]).norm() / values[-1].norm()
        return GradientError(float(error), float(network), float(value))

    return run_solver(Workload(model, shape, gradients=True), solve, 0, Conditioning(**conditioning))


def decoder_gradient_error(
    vae: HostVAE, model: comfy.model_patcher.ModelPatcher, step: float = 0.02, **conditioning
) -> float:
    """Of the gradient of c . D(z) along a random direction, against a central difference, relative to what is typical
    of a random direction; D as the solvers use it."""

    def solve(denoise, callback):
        generator = torch.Generator().manual_seed(4)
        z, direction = torch.randn(2, 1, *vae.latent_shape, generator=generator)
        c = torch.randn(1, 3, *vae.image_size, generator=generator)

        def value(at):
            return (vae.decode(at) * c).double().sum()

        leaf = z.clone().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(value(leaf), leaf)
        slope = (value(z + step * direction) - value(z - step * direction)) / (2 * step)
        found = (gradient.double() * direction).sum()
        return float((found - slope).abs() / gradient.double().norm())

    workload = Workload(model, (1, *vae.latent_shape), vae=vae)
    return run_solver(workload, solve, 0, Conditioning(**conditioning))
