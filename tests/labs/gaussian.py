"""A stationary Gaussian prior and a linear operator, with everything about them in closed form (dense, float64)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from maprps.linalg.cosine_basis import CosineBasis
from maprps.operators import Degradation, LinearOperator
from maprps.solvers.problem import Problem


class PowerLawPrior:
    """N(mean, C) on size x size periodic images, C diagonal in the Fourier basis with power-law eigenvalues.

    Its denoiser E[x0 | x0 + sigma eps] = mean + C (C + sigma^2)^-1 (x - mean) is exact and differentiable.
    """

    sigma_min, sigma_max = 0.002, 80.0

    def __init__(self, size: int = 32, pixel_variance: float = 0.25, exponent: float = 3.0, mean: float = -0.1):
        self.size, self.mean = size, mean
        frequency = torch.fft.fftfreq(size, dtype=torch.float64) * size
        radius2 = frequency[:, None] ** 2 + frequency[None, :] ** 2
        spectrum = (1 + radius2 / 4) ** (-exponent / 2)
        self.spectrum = spectrum * pixel_variance / spectrum.mean()  # eigenvalues of C, whose mean is its diagonal
        self.calls = 0

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        return torch.fft.ifft2(torch.fft.fft2(x.double()) * gain).real.to(x.dtype)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls += 1
        gain = self.spectrum / (self.spectrum + sigma.double().view(-1, 1, 1, 1) ** 2)
        return self.mean + self.filter(x - self.mean, gain)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        white = torch.randn(count, 1, self.size, self.size, generator=generator, dtype=torch.float64)
        return (self.mean + self.filter(white, self.spectrum.sqrt())).float()

    @cached_property
    def covariance(self) -> Tensor:
        eye = torch.eye(self.size**2, dtype=torch.float64).view(-1, 1, self.size, self.size)
        return self.filter(eye, self.spectrum).flatten(1)


class MirroredPrior(PowerLawPrior):
    """The same on images that go on mirrored beyond their borders, as photographs are taken to: C is diagonal in the
    cosine basis, whose mode k is half of k periods."""

    def __init__(self, size: int = 32, pixel_variance: float = 0.25, exponent: float = 3.0, mean: float = -0.1):
        super().__init__(size, pixel_variance, exponent, mean)
        self.basis = CosineBasis.of(torch.empty(size, size, dtype=torch.float64))
        spectrum = (1 + (self.basis.radius / 2) ** 2 / 4) ** (-exponent / 2)
        self.spectrum = spectrum * pixel_variance / spectrum.mean()

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        return self.basis.inverse(gain * self.basis.transform(x.double())).to(x.dtype)


@dataclass
class GaussianLab:
    """`count` measurements y = A x0 + s n of draws x0 of the prior, and their exact posteriors N(map, posterior)."""

    prior: PowerLawPrior
    degradation: Degradation
    noise_std: float
    count: int
    seed: int = 0

    def __post_init__(self):
        size = self.prior.size
        self.operator: LinearOperator = self.degradation.build(1, size, size)
        exact = self.degradation.build(1, size, size, dtype=torch.float64)
        eye = torch.eye(size**2, dtype=torch.float64).view(-1, 1, size, size)
        self.matrix = exact(eye).flatten(1).T
        generator = torch.Generator().manual_seed(self.seed)
        self.truth = self.prior.draw(self.count, generator)
        clean = self.operator(self.truth)
        noise = torch.randn(clean.shape, generator=generator)
        self.measurement = self.operator.keep(clean + self.noise_std * noise)

    @property
    def problem(self) -> Problem:
        return Problem(self.operator, self.measurement, self.noise_std)

    @cached_property
    def gain(self) -> Tensor:
        """C A^T (A C A^T + s^2 I)^-1; zero rows of A (missing pixels) get no weight."""
        a, c = self.matrix, self.prior.covariance
        gram = a @ c @ a.T + self.noise_std**2 * torch.eye(len(a), dtype=a.dtype)
        return torch.linalg.solve(gram, a @ c).T

    @cached_property
    def posterior(self) -> Tensor:
        return self.prior.covariance - self.gain @ self.matrix @ self.prior.covariance

    @cached_property
    def map(self) -> Tensor:
        """The MAP estimates, which are the MMSE estimates too. [count, 1, size, size], float64."""
        mean = torch.full((self.prior.size**2,), self.prior.mean, dtype=torch.float64)
        offset = self.measurement.double().flatten(1) - self.matrix @ mean
        return (mean + offset @ self.gain.T).view(-1, 1, self.prior.size, self.prior.size)

    @property
    def least_mse(self) -> float:
        """D* = tr Sigma."""
        return float(self.posterior.trace())

    def renoised(self, sigma: float) -> tuple[Tensor, Tensor]:
        """K = Sigma (Sigma + sigma^2 I)^-1 and the covariance Sigma - K Sigma K of an exact draw after re-noising."""
        eye = torch.eye(len(self.posterior), dtype=torch.float64)
        k = torch.linalg.solve(self.posterior + sigma**2 * eye, self.posterior)
        return k, self.posterior - k @ self.posterior @ k


def matrix_sqrt(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T


def wasserstein(first: Tensor, second: Tensor) -> float:
    """W2 between two centred Gaussians of these covariances."""
    root = matrix_sqrt(first)
    square = first.trace() + second.trace() - 2 * matrix_sqrt(root @ second @ root).trace()
    return math.sqrt(max(float(square), 0.0))
