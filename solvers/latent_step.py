"""The proximal step through a decoder D, by the way that serves where it is taken.

    argmin_z |y - A(D(z))|^2 / (2 s^2) + (z - center)^T R^-1 (z - center) / 2

What a linear A sees of D may be explained by D's mean Jacobian: that takes one decoding. Where it is not, because A
sees fine detail, the step is taken in pixels and encoded: one decoding and two encodings. Neither takes a gradient, and
either leaves what descent by a few gradients lowers further.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..linalg.stationary import Stationary
from .encoding import Encoding
from .mean_jacobian import MeanJacobian
from .preconditioned_descent import PreconditionedDescent
from .problem import Problem

EXPLAINED = 0.78
"""Of what A sees of a change of latents, that the mean Jacobian has to explain to be taken for D's own."""
MISFIT = 1.01
"""Root mean square residual, in units of the noise, from which on encoding has lost what was measured."""
DESCENT_STEPS = 2


class LatentStep:
    """Steps of a problem with a decoder and an encoder, which are probed at the latents given, [B, C, h, w]."""

    def __init__(self, problem: Problem, latents: Tensor):
        self.problem = problem
        self._encoding: Encoding | None = None
        self._jacobian = MeanJacobian(problem, latents) if problem.operator.linear else None
        self.descend = PreconditionedDescent(problem, self._jacobian)
        self.is_explained = latents.new_zeros(len(latents), 1, 1, 1).bool()
        """The images for which the mean Jacobian serves, [B, 1, 1, 1]."""
        if self._jacobian is not None:
            self.is_explained = self._jacobian.explained.view(-1, 1, 1, 1) > EXPLAINED

    def encode(self, center: Tensor, covariance: Stationary) -> Tensor:
        """In pixels, then encoded, from center, [B, C, h, w]; takes the variance of the covariance alone."""
        return self.encoding(center).proximal(center, covariance.variance)

    def reach(self, center: Tensor, covariance: Stationary, encode: bool = True) -> Tensor:
        """Without a gradient, from center, [B, C, h, w]. encode: whether images that the mean Jacobian does not explain
        go by encoding; else they go by it even so, and stay if A is not linear. covariance: R, the same for all
        channels, of which encoding takes the variance alone."""
        if self._jacobian is None:
            return self.encode(center, covariance) if encode else center
        if self.is_explained.all() or not encode:
            return self._jacobian.proximal(center, covariance)
        return self._where_explained(center, covariance, self.encode(center, covariance))

    def refine(self, center: Tensor, covariance: Stationary) -> Tensor:
        """From center as exactly as it pays: by the mean Jacobian where it explains the image; else encoded and
        corrected, and where the residual is above MISFIT even so, because the encoder does not find what shows the
        picture best, lowered by DESCENT_STEPS."""
        if self._jacobian is not None and self.is_explained.all():
            return self._jacobian.proximal(center, covariance)
        z, residual = self.encoding(center).corrected(center, covariance.variance)
        misfit = (residual > MISFIT).view_as(self.is_explained) & ~self.is_explained
        if misfit.any():
            z = torch.where(misfit, self.descend(z, center, covariance, DESCENT_STEPS), z)
        return self._where_explained(center, covariance, z)

    def encoding(self, latents: Tensor) -> Encoding:
        """Probed at latents when it is first asked for."""
        self._encoding = self._encoding or Encoding(self.problem, latents)
        return self._encoding

    def _where_explained(self, center: Tensor, covariance: Stationary, others: Tensor) -> Tensor:
        if self._jacobian is None or not self.is_explained.any():
            return others
        return torch.where(self.is_explained, self._jacobian.proximal(center, covariance), others)
