"""The Jacobian of a decoder, on average over a picture, without a gradient of it.

A latent shows in its own square of pixels and, less, in those around it. On average over a picture that is a
convolution, which least squares read off a few decodings of the picture with noise on its latents. Of what a blurred or
small measurement sees, it explains four fifths, and where it does, the proximal step through the decoder takes one
decoding. Of fine detail it explains half: what a latent adds there depends on what is there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import fold, pad, unfold

from ..linalg.conjugate_gradients import conjugate_gradients
from ..linalg.dot import dot
from ..linalg.stationary import Stationary
from .noise import Noise
from .problem import Problem

PROBE = 0.2
"""Std of a probe of latents: small against them, and more than a decoder in half precision rounds."""
NEIGHBORS = 3
"""Latents along a side, whose changes a square of pixels is taken to answer to."""
LATENTS_PER_WEIGHT = 8
MOST_PROBES = 8
RIDGE = 0.01
TOLERANCE = 1e-2
ITERATIONS = 30


class MeanJacobian:
    """J of a problem's decoder D at latents z, [B, C, h, w], for a linear A; costs three to nine decodings.

    D's pixels, [B, 3, H, W], are squares of H / h, cut off at the right and at the bottom where that is not a whole
    number.
    """

    def __init__(self, problem: Problem, z: Tensor):
        self.problem = problem
        x = problem.decoder(z)
        self.size, self.pixels = z.shape[-2:], x.shape[-2:]
        self.ratio = max(math.ceil(n / m) for n, m in zip(self.pixels, self.size, strict=True))

        noise = Noise(0, [0] * len(z), 0)  # one probe for all images, so that none depends on its batch
        unknowns = z.shape[1] * NEIGHBORS**2
        count = min(max(2, math.ceil(LATENTS_PER_WEIGHT * unknowns / self.size.numel())), MOST_PROBES)
        gram = torch.eye(unknowns, device=z.device) * RIDGE * self.size.numel()
        moments = torch.zeros((), device=z.device)
        for i in range(count):
            probe = noise.like(z)
            change = (problem.decoder(z + PROBE * probe) - x) / PROBE
            if i == count - 1:  # judged by the one that it has not seen yet
                self._weights = torch.linalg.solve(gram, moments)
                seen, missed = (dot(a, a) for a in self._seen(probe, change))
            near = self._neighbors(probe)
            gram = gram + near.mT @ near
            moments = moments + near.mT @ self._squares(change)
        self._weights = torch.linalg.solve(gram, moments)
        self.explained = (1 - missed / seen).flatten()
        """How much of what A sees of a change of latents J explains, [B]; 1 is all."""
        self.missed = missed / dot(probe, probe)
        """The mean square of the rest, for latents of variance 1, [B, 1, 1, 1]."""

    def __call__(self, change: Tensor) -> Tensor:
        """J times a change of latents: [B, C, h, w] to [B, 3, H, W]."""
        squares = torch.bmm(self._neighbors(change), self._weights).mT
        height, width = self.pixels
        whole = self.ratio * self.size[0], self.ratio * self.size[1]
        return fold(squares, whole, self.ratio, stride=self.ratio)[..., :height, :width]

    def adjoint(self, x: Tensor) -> Tensor:
        """J^T x: [B, 3, H, W] to [B, C, h, w]."""
        near = torch.bmm(self._squares(x), self._weights.mT).mT
        return fold(near, self.size, NEIGHBORS, padding=NEIGHBORS // 2)

    def proximal(self, center: Tensor, covariance: Stationary) -> Tensor:
        """argmin_z |y - A(D(center) + J (z - center))|^2 / (2 s^2) + (z - center)^T R^-1 (z - center) / 2, [B, C, h,
        w], with R the covariance; about, where R is large against s^2. That J misses something is not reckoned with:
        steps would be shorter, and estimates up to .2 dB worse."""
        residual = self.problem.linear_operator.adjoint(self.problem.residual(center))
        return center + self._inverse(self.adjoint(residual) / self.problem.noise_std**2, covariance, 0.0)

    def inverse(self, gradient: Tensor, covariance: Stationary) -> Tensor:
        """About (E[D'^T A^T A D'] / s^2 + R^-1)^-1 gradient, [B, C, h, w], for D's own Jacobian D': its mean over the
        picture is J^T A^T A J and what J misses, taken to be the same for all latents. R may be singular."""
        return self._inverse(gradient, covariance, self.missed)

    def _inverse(self, gradient: Tensor, covariance: Stationary, missed: Tensor | float) -> Tensor:
        """(J^T A^T A J / s^2 + missed I / s^2 + R^-1)^-1 gradient."""
        operator, noise_variance = self.problem.linear_operator, self.problem.noise_std**2

        def normal(u: Tensor) -> Tensor:
            x = covariance.root(u)
            seen = self.adjoint(operator.adjoint(operator(self(x))))
            return u + covariance.root(seen + missed * x) / noise_variance

        target = covariance.root(gradient)
        return covariance.root(conjugate_gradients(normal, target, TOLERANCE, ITERATIONS, cut_short=True))

    def _seen(self, probe: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """What A sees of a change of pixels by the probe, and of what J misses of it."""
        operator = self.problem.linear_operator
        return operator(change), operator(change - self(probe))

    def _neighbors(self, z: Tensor) -> Tensor:
        """[B, C, h, w] to [B, h w, C times NEIGHBORS squared]."""
        return unfold(z, NEIGHBORS, padding=NEIGHBORS // 2).mT

    def _squares(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] to [B, h w, 3 times ratio squared]."""
        height, width = (self.ratio * n - m for n, m in zip(self.size, self.pixels, strict=True))
        return unfold(pad(x, (0, width, 0, height)), self.ratio, stride=self.ratio).mT
