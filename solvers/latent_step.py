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
EXPLAINED_FAR = 0.95
"""The same for a step so long that D is not linear along it, unless it is everywhere."""
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
        none = latents.new_zeros(len(latents), 1, 1, 1)
        self._explained = none if self._jacobian is None else self._jacobian.explained.view_as(none)

    @property
    def is_explained(self) -> Tensor:
        """The images for which the mean Jacobian serves, [B, 1, 1, 1]."""
        return self._explained > EXPLAINED

    def reach(self, center: Tensor, covariance: Stationary, far: bool = False) -> Tensor:
        """Without a gradient, from center, [B, C, h, w]: by the mean Jacobian where it explains the image, else by
        encoding. covariance: R, the same for all channels, of which encoding takes the variance alone."""
        explained = self._explained > (EXPLAINED_FAR if far else EXPLAINED)
        if explained.all():
            return self.linearized(center, covariance)
        encoded = self._encoder(center).proximal(center, covariance.variance)
        return self._by_jacobian(explained, center, covariance, encoded)

    def linearized(self, center: Tensor, covariance: Stationary) -> Tensor:
        """By the mean Jacobian for every image; center itself where A is not linear."""
        return center if self._jacobian is None else self._jacobian.proximal(center, covariance)

    def refine(self, center: Tensor, covariance: Stationary) -> Tensor:
        """From center as exactly as it pays: by the mean Jacobian where it explains the image; else encoded and
        corrected, and where the residual is above MISFIT even so, because the encoder does not find what shows the
        picture best, lowered by DESCENT_STEPS."""
        if self.is_explained.all():
            return self.linearized(center, covariance)
        z, residual = self._encoder(center).corrected(center, covariance.variance)
        misfit = (residual > MISFIT).view_as(self.is_explained) & ~self.is_explained
        if misfit.any():
            z = torch.where(misfit, self.descend(z, center, covariance, DESCENT_STEPS), z)
        return self._by_jacobian(self.is_explained, center, covariance, z)

    def _encoder(self, latents: Tensor) -> Encoding:
        """Probed at latents when it is first asked for."""
        self._encoding = self._encoding or Encoding(self.problem, latents)
        return self._encoding

    def _by_jacobian(self, which: Tensor, center: Tensor, covariance: Stationary, others: Tensor) -> Tensor:
        return torch.where(which, self.linearized(center, covariance), others) if which.any() else others
