"""The two stages of MAP-RPS for pixel-space models, on ComfyUI's IMAGEs.

IMAGE: [B, H, W, C], 0..1, of which nothing is clamped on the way in or out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import comfy.model_management
import torch
from torch import Tensor

from ..operators import Degradation, Operator, model_units
from ..solvers.guidance import Guidance
from ..solvers.map_estimation import Estimate, Method
from ..solvers.noise import Noise
from ..solvers.posterior_sampling import Sampler, renoised_posterior_sampling
from ..solvers.problem import Callback, Denoiser, Problem
from .run import run_solver

MAP_STAGE, SAMPLING_STAGE = 1, 2
"""Keep the noise of the two stages apart for one seed."""


@dataclass(frozen=True)
class Restoration:
    """What both stages are given: a MODEL, what it is conditioned on, and a measurement with its degradation.

    Raises ValueError, before any work, for a latent model, a measurement that does not fit, or a negative noise std.
    """

    model: object
    degradation: Degradation
    measurement: Tensor
    noise_std: float
    seed: int
    positive: list | None = None

    def __post_init__(self):
        channels = self.model.model.latent_format.latent_channels
        if channels != 3:
            raise ValueError(
                f"This is a latent model (its images have {channels} channels), but this node works on pixels: load a "
                "pixel model with 'Load Pixel Model (MAP-RPS)'."
            )
        check_measurement(self.measurement, self.noise_std)
        self.problem("cpu")

    host_vae = None
    negative, cfg = None, 1.0

    def check_prompts(self) -> None:
        """Pixel models take any prompt, or none."""

    @property
    def image_size(self) -> tuple[int, int]:
        return self.degradation.image_size(*self.measurement.shape[1:3])

    def problem(self, device: torch.device | str, copies: int = 1) -> Problem:
        """The measurement in model units, each image `copies` times in a row. Call outside inference mode for
        autograd."""
        operator = self.degradation.build(3, *self.image_size, device)
        y = measured_channels(self.measurement, operator).to(device).repeat_interleave(copies, dim=0)
        operator, y, noise_std = model_units(operator, y, self.noise_std)
        return Problem(operator, y, noise_std)

    def shape(self, copies: int = 1) -> tuple[int, int, int, int]:
        return (len(self.measurement) * copies, 3, *self.image_size)

    def run(
        self, solve: Callable[[Denoiser, Problem, Callback], Tensor], copies: int = 1, gradients: bool = False
    ) -> Tensor:
        device = self.model.load_device

        def with_problem(denoise: Denoiser, callback: Callback) -> Tensor:
            return solve(denoise, self.problem(device, copies), callback)

        return run_solver(
            self.model, with_problem, self.shape(copies), self.seed, positive=self.positive, gradients=gradients
        )


def estimate_map(restoration: Restoration, method: Method) -> tuple[Tensor, Estimate]:
    """Stage 1. Returns the estimate as IMAGE and the method's report."""
    reports: list[Estimate] = []
    noise = Noise(restoration.seed, [0] * len(restoration.measurement), MAP_STAGE)

    def solve(denoise: Denoiser, problem: Problem, callback: Callback) -> Tensor:
        start = problem.operator.initial_guess(problem.measurement)
        reports.append(method(problem, denoise, start, noise, callback))
        return reports[0].image

    return to_image(restoration.run(solve)), reports[0]


def sample_posterior(
    restoration: Restoration,
    estimate: Tensor,
    sigmas: Sequence[float],
    guidance: Guidance,
    sampler: Sampler,
    samples: int = 1,
) -> Tensor:
    """Stage 2. estimate: IMAGE, one per measurement. Returns IMAGE with the samples of each image in a row.

    A first sigma of 0 returns the estimate as it is, once per sample.
    """
    count = len(restoration.measurement)
    expected = (count, *restoration.image_size, 3)
    if tuple(estimate.shape) != expected:
        raise ValueError(
            f"The estimate is {' x '.join(map(str, estimate.shape))}, but the measurement and its degradation ask for "
            f"{' x '.join(map(str, expected))}: connect the estimate made from this measurement."
        )
    if sigmas[0] == 0:
        return estimate.repeat_interleave(samples, dim=0)
    noise = Noise(restoration.seed, [*range(samples)] * count, SAMPLING_STAGE)

    def solve(denoise: Denoiser, problem: Problem, callback: Callback) -> Tensor:
        start = to_channels_first(estimate).to(problem.measurement.device).repeat_interleave(samples, dim=0) * 2 - 1
        return renoised_posterior_sampling(problem, denoise, guidance, sampler, start, sigmas, noise, callback)

    return to_image(restoration.run(solve, copies=samples, gradients=guidance.differentiates))


def check_measurement(measurement: Tensor, noise_std: float) -> None:
    """Raises ValueError for a negative noise std, or a measurement with NaN or infinity."""
    if noise_std < 0:
        raise ValueError(f"noise_std is {noise_std}: give the noise's standard deviation, 0 or more.")
    if not torch.isfinite(measurement).all():
        raise ValueError("The measurement holds NaN or infinity: check the node that made it.")


def measured_channels(measurement: Tensor, operator: Operator) -> Tensor:
    """IMAGE [B, h, w, C] as [B, c, h, w] with the c channels that the operator measures.

    Grey travels as one channel. A grey photo loaded as RGB is as good: of three channels that are equal, one is
    taken. Raises ValueError for other numbers of channels, and for one that is asked of a picture with colors.
    """
    y, channels = to_channels_first(measurement), operator.measurement_shape[0]
    if y.shape[1] == channels:
        return y
    if channels != 1:
        raise ValueError(
            f"The measurement has {y.shape[1]} channels, but this degradation needs {channels}: give it as RGB."
        )
    if not (y == y[:, :1]).all():
        raise ValueError(
            "The measurement has colors, but this degradation needs a grey one: take the colors out with 'Apply "
            "Degradation (MAP-RPS)', the same degradation and noise_std 0."
        )
    return y[:, :1]


def to_channels_first(image: Tensor) -> Tensor:
    """[B, H, W, C] to a contiguous float32 copy [B, C, H, W]."""
    return image.movedim(-1, 1).float().clone(memory_format=torch.contiguous_format)


def to_image(x: Tensor) -> Tensor:
    """Model units [B, C, H, W] to IMAGE."""
    image = (x.movedim(1, -1) + 1) / 2
    return image.contiguous().to(comfy.model_management.intermediate_device())
