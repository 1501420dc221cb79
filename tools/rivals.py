"""Published samplers as other packages implement them, on our denoisers and operators: deepinv's and azula's.

Their settings are their defaults, with as many steps as their authors take. Both packages are the extra `benchmark`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import azula.denoise
import azula.guidance
import azula.linalg.covariance
import azula.noise
import azula.sample
import deepinv
import torch
from torch import Tensor

from maprps.solvers.problem import Denoiser, Problem

DDRM_STEPS = DIFFPIR_STEPS = 100
DPS_STEPS = 1000
MMPS_STEPS = 64
LARGEST_MATRIX = 64 * 64
"""Pixels up to which the singular vectors of an operator are computed."""


def rivals(problem: Problem) -> dict[str, Callable[[Denoiser], Tensor]]:
    """sample(denoise) -> [B, C, H, W] in model units, by name, for a linear problem in pixels, with a square image."""
    methods: dict[str, Callable[[Denoiser], Tensor]] = {
        f"deepinv, DiffPIR, {DIFFPIR_STEPS} steps": lambda denoise: _diffpir(problem, denoise),
        f"deepinv, DPS, {DPS_STEPS} steps": lambda denoise: _deepinv_dps(problem, denoise),
        f"azula, MMPS, {MMPS_STEPS} steps": lambda denoise: _mmps(problem, denoise),
        f"azula, DPS, {DPS_STEPS} steps": lambda denoise: _azula_dps(problem, denoise),
    }
    if math.prod(_image_shape(problem)[1:]) <= LARGEST_MATRIX:
        methods = {f"deepinv, DDRM, {DDRM_STEPS} steps": lambda denoise: _ddrm(problem, denoise), **methods}
    return methods


class _UnitDenoiser(torch.nn.Module):
    """The denoiser of images in [0, 1], as deepinv calls it: sigma a number or one per image, on that scale."""

    def __init__(self, denoise: Denoiser):
        super().__init__()
        self.denoise = denoise

    def forward(self, x: Tensor, sigma: Tensor | float, **_) -> Tensor:
        level = torch.as_tensor(sigma, dtype=torch.float32).flatten().expand(len(x))
        return (_called(self.denoise, 2 * x.float() - 1, 2 * level).to(x.dtype) + 1) / 2


def _called(denoise: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """At the nearest level that the denoiser knows."""
    return denoise(x, sigma.clamp(denoise.sigma_min, denoise.sigma_max))


def _image_shape(problem: Problem) -> torch.Size:
    return problem.linear_operator.adjoint(problem.measurement[:1]).shape[1:]


def _unit_measurement(problem: Problem) -> Tensor:
    """y for images in [0, 1] in place of [-1, 1]: A is linear."""
    ones = torch.ones(1, *_image_shape(problem))
    return (problem.measurement + problem.operator(ones)) / 2


def _physics(problem: Problem) -> deepinv.physics.LinearPhysics:
    operator = problem.linear_operator
    return deepinv.physics.LinearPhysics(
        A=lambda x, **_: operator(x),
        A_adjoint=lambda y, **_: operator.adjoint(y),
        noise_model=deepinv.physics.GaussianNoise(problem.noise_std / 2),
    )


def _diffpir(problem: Problem, denoise: Denoiser) -> Tensor:
    method = deepinv.sampling.DiffPIR(
        _UnitDenoiser(denoise), deepinv.optim.data_fidelity.L2(), problem.noise_std / 2, DIFFPIR_STEPS
    )
    start = (problem.linear_operator.initial_guess(problem.measurement) + 1) / 2
    return 2 * method(_unit_measurement(problem), _physics(problem), x_init=start) - 1


def _deepinv_dps(problem: Problem, denoise: Denoiser) -> Tensor:
    method = deepinv.sampling.DPS(_UnitDenoiser(denoise), num_steps=DPS_STEPS, guidance="annealed", dtype=torch.float32)
    return 2 * method(_unit_measurement(problem), _physics(problem)) - 1


def _ddrm(problem: Problem, denoise: Denoiser) -> Tensor:
    """By the singular vectors of the operator, which acts on each channel alike."""
    channels, height, width = _image_shape(problem)
    basis = torch.eye(height * width).view(-1, 1, height, width).expand(-1, channels, -1, -1)
    columns = problem.operator(basis)[:, 0].flatten(1)
    rows = columns.shape[1]
    left, singular, right = torch.linalg.svd(columns.T)
    values = torch.zeros(height * width)
    values[: len(singular)] = singular

    def flat(x: Tensor) -> Tensor:
        return x.flatten(2)

    def image(v: Tensor) -> Tensor:
        return v.unflatten(-1, (height, width))

    measured = problem.measurement.shape[-2:]
    physics = deepinv.physics.DecomposablePhysics(
        U=lambda u: (flat(u)[..., :rows] @ left.T).unflatten(-1, measured),
        U_adjoint=lambda y: image(torch.nn.functional.pad(flat(y) @ left, (0, height * width - rows))),
        V=lambda v: image(flat(v) @ right),
        V_adjoint=lambda x: image(flat(x) @ right.T),
        mask=image(values).expand(1, channels, -1, -1),
        noise_model=deepinv.physics.GaussianNoise(problem.noise_std / 2),
    )
    method = deepinv.sampling.DDRM(_UnitDenoiser(denoise), torch.linspace(1, 0, DDRM_STEPS).numpy())
    return 2 * method(_unit_measurement(problem), physics) - 1


class _AzulaDenoiser(azula.denoise.Denoiser):
    """In [-1, 1], with x_t = alpha x0 + sigma n."""

    def __init__(self, denoise: Denoiser):
        super().__init__()
        self.denoise = denoise
        self.schedule = azula.noise.VPSchedule()

    def forward(self, x_t: Tensor, t: Tensor, **_) -> azula.denoise.DiracPosterior:
        alpha, sigma = self.schedule(t)
        level = (sigma / alpha).flatten().expand(len(x_t)).to(x_t)
        return azula.denoise.DiracPosterior(_called(self.denoise, x_t / alpha, level))


def _mmps(problem: Problem, denoise: Denoiser) -> Tensor:
    noise = azula.linalg.covariance.IsotropicCovariance(problem.noise_std**2)
    shape = _image_shape(problem)
    guided = azula.guidance.MMPSDenoiser(
        _AzulaDenoiser(denoise),
        problem.measurement.flatten(1),
        lambda x: problem.operator(x.view(-1, *shape)).flatten(1),
        noise,
    )
    return _run(azula.sample.DDPMSampler(guided, steps=MMPS_STEPS, silent=True), problem)


def _azula_dps(problem: Problem, denoise: Denoiser) -> Tensor:
    sampler = azula.guidance.DPSSampler(
        _AzulaDenoiser(denoise), problem.measurement, problem.operator, steps=DPS_STEPS, silent=True
    )
    return _run(sampler, problem)


def _run(sampler: azula.sample.Sampler, problem: Problem) -> Tensor:
    return sampler(sampler.init((len(problem.measurement), *_image_shape(problem))))
