"""The proximal step through a decoder in a few gradients: conjugate gradients, preconditioned.

    argmin_z |y - A(D(z))|^2 / (2 s^2) + (z - center)^T R^-1 (z - center) / 2

Its Hessian is near R^-1 + J^T A^T A J / s^2, with J the Jacobian of D. For a linear A, the preconditioner is the
inverse with J as it is on average over the picture (`mean_jacobian`); one gradient is then worth two of the others. For
any other A it is that of R^-1 + H / s^2, with H the stationary part of J^T A^T A J: read off one random probe, by
frequency, the same for all channels. (With a matrix of channels for every frequency, the noise of one or four probes
costs more than it brings.) One step is worth three evaluations of L-BFGS, two or three are worth six.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis
from ..linalg.dot import dot
from ..linalg.rings import pooled
from ..linalg.stationary import Stationary
from .mean_jacobian import PROBE, MeanJacobian
from .noise import Noise
from .problem import Problem

LEAST_VARIANCE = 1e-4
"""Of the mean, that a direction is taken to have: a denoiser may give none to some frequencies."""
TINY = 1e-12
"""What a denoiser that gives none to any is taken to give: latents stay where they are."""
LONGEST = 2.0
"""Of a step, in lengths that the preconditioner alone would give it."""
TRIED = 0.5
"""Of such a length, where a step is tried: most are as long as .3 to .6."""
CONFIRMED = 0.25
"""Of what the slope promises there, from which on a step as long as that is not in question."""


class PreconditionedDescent:
    """For a problem with a decoder D. Without a mean Jacobian, D is probed where the first step begins: at latents of a
    picture, since those of a smooth one tell of too little curvature, and steps would be too long."""

    def __init__(self, problem: Problem, jacobian: MeanJacobian | None = None):
        self.problem, self.jacobian = problem, jacobian
        self._curvature: Tensor | None = None

    def __call__(self, z: Tensor, center: Tensor, covariance: Stationary, steps: int) -> Tensor:
        """`steps`, at least one, from z, [B, C, h, w], by Polak and Ribiere's directions (1969), each as long as is
        right for a residual that is linear along it: a gradient of the decoder and a decoding. Where the last step's
        end leaves doubts, it is decoded as well, and an image keeps the best that it had. covariance: R, the same for
        all channels."""
        noise_variance = self.problem.noise_std**2
        variance = covariance.power.clamp_min(LEAST_VARIANCE * covariance.variance).clamp_min(TINY)
        precondition = self._preconditioner(z, replace(covariance, power=variance))

        def weighed(x: Tensor) -> Tensor:
            return covariance.filter(x, 1 / variance)

        def value(z: Tensor, residual: Tensor) -> Tensor:
            return dot(residual, residual) / noise_variance + dot(z - center, weighed(z - center))

        best, least = z, torch.full_like(dot(z, z), torch.inf)
        direction = before = turned_before = torch.zeros_like(z)
        for _ in range(steps):
            residual, slope = self._residual(z)
            here = value(z, residual)
            best, least = _better(z, here, best, least)
            gradient = slope / noise_variance + weighed(z - center)
            turned = precondition(gradient)
            share = (dot(turned, gradient - before) / dot(turned_before, before)).nan_to_num(0, 0, 0).clamp_min(0)
            direction, before, turned_before = share * direction - turned, gradient, turned
            tried = self.problem.residual(z + TRIED * direction)
            change, promise = (tried - residual) / TRIED, -dot(gradient, direction)
            curvature = dot(change, change) / noise_variance + dot(direction, weighed(direction))
            length = (promise / curvature).nan_to_num(0).clamp(0, LONGEST)
            lowered = here - value(z + TRIED * direction, tried)
            confirmed = (here <= least) & (lowered >= 2 * CONFIRMED * TRIED * promise) & (length <= 2 * TRIED)
            z = z + length * direction
        if confirmed.all():
            return z
        # One that is confirmed is not compared, for whether the others are must not change it.
        end = torch.where(confirmed, -torch.inf, value(z, self.problem.residual(z)))
        return _better(z, end, best, least)[0]

    def _preconditioner(self, z: Tensor, covariance: Stationary) -> Callable[[Tensor], Tensor]:
        if self.jacobian is not None:
            return partial(self.jacobian.inverse, covariance=covariance)
        if self._curvature is None:
            self._curvature = self._probed(z)
        inverse = covariance.power / (1 + covariance.power * self._curvature / self.problem.noise_std**2)
        return partial(covariance.filter, gain=inverse)

    def _residual(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """y - A(D(z)), and the gradient of half its square."""
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            residual = self.problem.residual(leaf)
            (gradient,) = torch.autograd.grad(dot(residual, residual).sum() / 2, leaf)
        return residual.detach(), gradient

    def _probed(self, z: Tensor) -> Tensor:
        """H at z, by frequency, [B, 1, h, w]."""
        noise = Noise(0, [0] * len(z), 0)  # one probe for all images, so that none depends on its batch
        probe = noise.like(z)
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            residual = self.problem.residual(leaf)
            change = self.problem.residual(z + PROBE * probe).detach() - residual.detach()
            (curved,) = torch.autograd.grad(residual, leaf, change / PROBE)
        basis = CosineBasis.of(probe)
        curved, probe = basis.transform(curved), basis.transform(probe)
        products = torch.stack([torch.ones_like(probe), curved * probe, probe.square()]).sum(2, keepdim=True)
        _, product, power = pooled(basis.rings.sums(products))
        return basis.rings.between((product / power).clamp_min(0).flatten(0, 1))[:, None]


def _better(z: Tensor, value: Tensor, best: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Whichever has the smaller value, image by image, and that value."""
    return torch.where(value < least, z, best), torch.minimum(value, least)
