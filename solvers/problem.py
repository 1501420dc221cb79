"""What every solver works on: a measurement, the operator it came through, and a denoiser as the prior.

Everything here is in model units, [-1, 1] for pixels; `operators.model_units` brings a measurement there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..linalg.dot import dot
from ..operators import LinearOperator, Operator

MIN_NOISE_STD = 1e-3
"""Smallest noise std that solvers work with, in model units: below the rounding of an 8-bit picture (0.0023)."""

SOLVE_TOLERANCE = 1e-3
"""Of the linear systems within a step, where they take iterations: it moves an image by less than 2e-4 of its range."""


AT_END = 1e-4
"""In model units, what counts as clipped: a small part of a step of an 8-bit picture."""


class Denoiser(Protocol):
    """denoised = denoise(x, sigma): E[x0 | x] for x = x0 + sigma * eps, [B, C, H, W], sigma [B].

    sigma_min and sigma_max bound the noise levels it knows. Differentiable wherever gradients are enabled.
    """

    sigma_min: float
    sigma_max: float

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor: ...


Callback = Callable[[int, int, Tensor], None]
"""callback(step, total, estimate), after each step of any loop: progress, preview, and a place to raise for cancel."""


def silent(step: int, total: int, estimate: Tensor) -> None:
    """The callback that does nothing."""


def identity(x: Tensor) -> Tensor:
    """The decoder of pixel space."""
    return x


@dataclass(frozen=True)
class Problem:
    """y = A(D(x)) + noise_std * n.

    measurement: y [B, c, h, w]; decoder: D, from what the denoiser works on to pixels; encoder: E, from pixels in
    [-1, 1] back to that, an approximate inverse of D, differentiable, for the terms that ask for one. The noise std is
    floored at MIN_NOISE_STD, which keeps every solve well posed. ends: the least and the greatest value of y's entries
    where it was clipped, [1, c, h, w]; an entry there says only that it was as much or more beyond.
    """

    operator: Operator
    measurement: Tensor
    noise_std: float
    decoder: Callable[[Tensor], Tensor] = identity
    encoder: Callable[[Tensor], Tensor] | None = None
    ends: tuple[Tensor, Tensor] | None = None

    def __post_init__(self):
        object.__setattr__(self, "noise_std", max(self.noise_std, MIN_NOISE_STD))

    @property
    def in_pixels(self) -> bool:
        """Whether D is the identity."""
        return self.decoder is identity

    @property
    def linear(self) -> bool:
        """Whether x -> A(D(x)) is linear, so that closed forms hold."""
        return self.operator.linear and self.in_pixels

    @property
    def noisy_image(self) -> tuple[Tensor, float] | None:
        """(A^T y / c, s / sqrt(c)) where A^T A = c I and D is the identity: y is then the image itself behind white
        noise of that std, as a denoiser knows it. None elsewhere, and where y was clipped."""
        gram = self.operator.isotropy if self.linear and isinstance(self.operator, LinearOperator) else None
        if gram is None or self.ends is not None:
            return None
        return self.linear_operator.adjoint(self.measurement) / gram, self.noise_std / math.sqrt(gram)

    @property
    def linear_operator(self) -> LinearOperator:
        """A, where it has a transpose. Raises ValueError elsewhere."""
        if not isinstance(self.operator, LinearOperator):
            raise ValueError("The degradation is not linear: choose a method that needs no transpose of it.")
        return self.operator

    def residual(self, x: Tensor) -> Tensor:
        """y - A(D(x)), zero where nothing was measured. [B, c, h, w]. Differentiable.

        Where y was clipped, it is its mean before that, given x (the E step of EM for a censored normal): the data step
        that follows is the M step, whatever solves it.
        """
        predicted = self.operator(self.decoder(x))
        if self.ends is None:
            return self.operator.keep(self.measurement - predicted)
        y, (low, high) = self.measurement, self.ends
        missing = (y - predicted) / self.noise_std
        beyond = torch.where(
            y >= high - AT_END, _excess(missing), torch.where(y <= low + AT_END, -_excess(-missing), missing)
        )
        return self.operator.keep(self.noise_std * beyond)

    def solve(self, v: Tensor, variance: float | Tensor) -> Tensor:
        """(s^2 I + variance A A^T)^-1 v for a linear A, to SOLVE_TOLERANCE. variance: a number or [B, 1, 1, 1]."""
        return self.linear_operator.solve(v, self.noise_std**2, variance, SOLVE_TOLERANCE)

    def relative_residual(self, x: Tensor) -> Tensor:
        """Root mean square residual over the noise std, per image [B]: near 1 where x explains y."""
        residual = self.residual(x)
        square = dot(residual, residual).flatten()
        return (square / self.operator.measured).sqrt() / self.noise_std


def _excess(a: Tensor) -> Tensor:
    """E[n | n > a] of a standard normal n: near 0 for an a far below, near a for one far above."""
    return math.sqrt(2 / math.pi) / torch.special.erfcx(a.clamp_min(-10) / math.sqrt(2))


def per_image(value: float, x: Tensor) -> Tensor:
    """value as one entry per image, [B], as denoisers take sigma."""
    return torch.full((len(x),), value, device=x.device, dtype=torch.float32)
