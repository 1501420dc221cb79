"""The Gaussian lab at any size, for an A that commutes with shifts by `factor` pixels: exact, frequency by frequency.

A periodic image's Fourier modes that A cannot tell apart, the factor^2 aliases of one mode of the measurement, form a
group. Prior, posterior and A mix nothing beyond a group: the posterior covariance is a stack of small Hermitian
matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from maprps.operators import Degradation, LinearOperator
from maprps.solvers.problem import Problem

from .gaussian import PowerLawPrior


@dataclass
class StationaryLab:
    """`count` measurements y = A x0 + s n of draws x0 of the prior, and their posteriors N(map, U diag(v) U^H)."""

    prior: PowerLawPrior
    degradation: Degradation
    noise_std: float
    count: int
    factor: int = 1
    seed: int = 0

    def __post_init__(self):
        size = self.prior.size
        self.operator: LinearOperator = self.degradation.build(1, size, size)
        generator = torch.Generator().manual_seed(self.seed)
        self.truth = self.prior.draw(self.count, generator)
        clean = self.operator(self.truth)
        self.measurement = clean + self.noise_std * torch.randn(clean.shape, generator=generator)

    @property
    def problem(self) -> Problem:
        return Problem(self.operator, self.measurement, self.noise_std)

    def repeated(self, times: int) -> Problem:
        """Every measurement `times` in a row."""
        return Problem(self.operator, self.measurement.repeat_interleave(times, 0), self.noise_std)

    def groups(self, x: Tensor) -> Tensor:
        """Orthonormal Fourier modes of [B, 1, H, W], as [B, groups, aliases], complex."""
        return self._grouped(torch.fft.fft2(x.double(), norm="ortho")[:, 0])

    def _grouped(self, modes: Tensor) -> Tensor:
        f, n = self.factor, self.prior.size // self.factor
        return modes.view(-1, f, n, f, n).permute(0, 2, 4, 1, 3).reshape(-1, n * n, f * f)

    def image(self, groups: Tensor) -> Tensor:
        f, n = self.factor, self.prior.size // self.factor
        modes = groups.view(-1, n, n, f, f).permute(0, 3, 1, 4, 2).reshape(-1, 1, f * n, f * n)
        return torch.fft.ifft2(modes, norm="ortho").real

    @cached_property
    def power(self) -> Tensor:
        """Eigenvalues of C, [groups, aliases]."""
        return self._grouped(self.prior.spectrum[None])[0]

    @cached_property
    def rows(self) -> Tensor:
        """A as one row per group, [groups, aliases]: the mode of A x is rows . groups(x)."""
        exact = self.degradation.build(1, self.prior.size, self.prior.size, dtype=torch.float64)
        impulse = torch.zeros(1, *exact.measurement_shape, dtype=torch.float64)
        impulse[..., 0, 0] = 1
        kernel = torch.fft.fft2(exact.adjoint(impulse))[:, 0]
        return self._grouped(kernel.conj())[0] / self.factor

    @cached_property
    def signal(self) -> Tensor:
        """Variance of the noiseless measurement's mode, [groups]."""
        return (self.rows.abs().square() * self.power).sum(1)

    @cached_property
    def gain(self) -> Tensor:
        """C A^T (A C A^T + s^2)^-1, one column per group."""
        return self.power * self.rows.conj() / (self.signal + self.noise_std**2)[:, None]

    @cached_property
    def map(self) -> Tensor:
        """The MAP estimates, which are the MMSE estimates too. [count, 1, size, size], float64."""
        mean = torch.full((1, 1, self.prior.size, self.prior.size), self.prior.mean, dtype=torch.float64)
        exact = self.degradation.build(1, self.prior.size, self.prior.size, dtype=torch.float64)
        offset = torch.fft.fft2(self.measurement.double() - exact(mean), norm="ortho").flatten(1)
        return mean + self.image(offset[..., None] * self.gain)

    @cached_property
    def modes(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues v [groups, aliases] and eigenvectors U [groups, aliases, aliases] of the posterior covariance."""
        blocks = torch.diag_embed(self.power).to(self.rows.dtype)
        blocks = blocks - self.gain[:, :, None] * (self.rows * self.power)[:, None, :]
        values, vectors = torch.linalg.eigh(blocks)
        return values.clamp_min(0), vectors

    @property
    def least_mse(self) -> float:
        """D* = tr Sigma."""
        return float(self.modes[0].sum())

    def drawn(self, sigma: float, last: float = 0.0) -> Tensor:
        """Variance of every posterior mode after exact re-noising at sigma, [groups, aliases].

        last: the noise level at which a mean is taken in place of a draw; it loses v q / (v + q), the variance left
        there.
        """
        v = self.modes[0]
        return v * (1 - (v / (v + sigma**2)) ** 2) - v * last**2 / (v + last**2)

    def measured_part(self, covariance: Tensor) -> float:
        """Trace over the measured directions of the covariance U diag(.) U^H, [groups, aliases]."""
        direction = self._directions[:, None, :] @ self.modes[1]
        return float((direction[:, 0].abs().square() * covariance).sum())

    def measured_energy(self, x: Tensor) -> Tensor:
        """Squared length of the part of [B, 1, H, W] in the measured directions, [B]."""
        return (self.groups(x) * self._directions).sum(2).abs().square().sum(1)

    @cached_property
    def _directions(self) -> Tensor:
        """What projects each group on its measured direction; zero where the noise is stronger than the signal."""
        clear = self.signal > self.noise_std**2
        return torch.where(clear[:, None], self.rows / self.rows.abs().square().sum(1, keepdim=True).sqrt(), 0)

    def mode_energy(self, x: Tensor) -> Tensor:
        """Mean squared component of [B, 1, H, W] along every posterior mode, [groups, aliases]."""
        return (self.groups(x)[:, :, None, :] @ self.modes[1].conj())[:, :, 0].abs().square().mean(0)

    def wasserstein(self, drawn: Tensor) -> float:
        """W2 between the prior and the law of m + a draw with U diag(drawn) U^H: how far from a true image."""
        values, vectors = self.modes
        spread = torch.diag_embed(self.power) - self._assembled(values) + self._assembled(drawn)
        root = torch.diag_embed(self.power.sqrt()).to(spread.dtype)
        middle = torch.linalg.eigvalsh(root @ spread @ root).clamp_min(0).sqrt()
        square = self.power.sum() + torch.diagonal(spread, dim1=1, dim2=2).real.sum() - 2 * middle.sum()
        return math.sqrt(max(0.0, float(square)))

    def _assembled(self, values: Tensor) -> Tensor:
        vectors = self.modes[1]
        return (vectors * values[:, None, :]) @ vectors.conj().transpose(1, 2)
