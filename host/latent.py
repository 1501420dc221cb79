"""The two stages of LMAP-RPS for latent models, on ComfyUI's LATENT and IMAGE.

Solvers see latents as the model does; what nodes pass on is as the VAE has them, the host's convention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..operators import Degradation, model_units
from ..solvers.guidance import Guidance
from ..solvers.map_estimation import Estimate, Method
from ..solvers.noise import Noise
from ..solvers.posterior_sampling import Sampler, renoised_posterior_sampling
from ..solvers.problem import Callback, Denoiser, Problem
from .pixel import MAP_STAGE, SAMPLING_STAGE, check_measurement, measured_channels, to_image
from .run import run_solver
from .vae import HostVAE


class Restored(NamedTuple):
    """latents: [B, C, h, w] as the VAE has them; image: IMAGE, not clamped."""

    latents: Tensor
    image: Tensor


@dataclass(frozen=True)
class LatentRestoration:
    """What both stages are given: MODEL, VAE, conditioning, and a measurement with its degradation.

    Raises ValueError, before any work, for a VAE that does not go with the model, a measurement that does not fit, or a
    negative noise std.
    """

    model: object
    vae: object
    degradation: Degradation
    measurement: Tensor
    noise_std: float
    seed: int
    positive: list | None = None
    negative: list | None = None
    cfg: float = 1.0

    def __post_init__(self):
        check_measurement(self.measurement, self.noise_std)
        self.problem("cpu")

    def check_prompts(self) -> None:
        """Raises ValueError for prompts that are missing."""
        if self.positive is None and takes_text(self.model):
            raise ValueError(
                "This model takes text: connect a prompt (CLIP Text Encode) to 'positive'; an empty one will do."
            )
        if self.cfg != 1 and self.negative is None:
            raise ValueError(
                f"cfg is {self.cfg:g}, which compares with a negative prompt: connect one to 'negative', or set cfg to "
                "1."
            )

    @property
    def image_size(self) -> tuple[int, int]:
        return self.degradation.image_size(*self.measurement.shape[1:3])

    @cached_property
    def host_vae(self) -> HostVAE:
        return HostVAE(self.vae, self.model, self.image_size)

    def problem(self, device: torch.device | str, copies: int = 1) -> Problem:
        """As `pixel.Restoration.problem`, with the VAE between; in pixel space without."""
        vae = self.host_vae
        operator = self.degradation.build(3, *self.image_size, device)
        y = measured_channels(self.measurement, operator).to(device).repeat_interleave(copies, dim=0)
        operator, y, noise_std = model_units(operator, y, self.noise_std)
        if vae.is_identity:
            return Problem(operator, y, noise_std)
        return Problem(operator, y, noise_std, vae.decode, vae.encode)

    def shape(self, copies: int = 1) -> tuple[int, int, int, int]:
        return (len(self.measurement) * copies, *self.host_vae.latent_shape)

    def run(
        self, solve: Callable[[Denoiser, Problem, Callback], Tensor], copies: int = 1, gradients: bool = False
    ) -> Restored:
        self.check_prompts()
        images: list[Tensor] = []

        def with_problem(denoise: Denoiser, callback: Callback) -> Tensor:
            problem = self.problem(self.model.load_device, copies)
            latents = solve(denoise, problem, callback)
            images.append(to_image(problem.decoder(latents)))
            return latents

        latents = run_solver(
            self.model,
            with_problem,
            self.shape(copies),
            self.seed,
            self.positive,
            self.negative,
            self.cfg,
            gradients,
            self.host_vae,
        )
        return Restored(latents, images[0])


def estimate_latent_map(restoration: LatentRestoration, method: Method) -> tuple[Restored, Estimate]:
    """Stage 1, from E(A^+ y)."""
    reports: list[Estimate] = []
    noise = Noise(restoration.seed, [0] * len(restoration.measurement), MAP_STAGE)

    def solve(denoise: Denoiser, problem: Problem, callback: Callback) -> Tensor:
        start = problem.operator.initial_guess(problem.measurement)
        if problem.encoder is not None:
            start = problem.encoder(start)
        reports.append(method(problem, denoise, start, noise, callback))
        return reports[0].image

    return restoration.run(solve), reports[0]


def sample_latent_posterior(
    restoration: LatentRestoration,
    estimate: Tensor,
    sigmas: Sequence[float],
    guidance: Guidance,
    sampler: Sampler,
    samples: int = 1,
) -> Restored:
    """Stage 2. estimate: latents as the VAE has them, one per measurement. The samples of each image come in a row.

    A first sigma of 0 returns the estimate as it is, once per sample.
    """
    count = len(restoration.measurement)
    vae = restoration.host_vae
    expected = (count, *vae.latent_shape)
    if tuple(estimate.shape) != expected:
        raise ValueError(
            f"The estimate is {' x '.join(map(str, estimate.shape))}, but the measurement and its degradation ask for "
            f"{' x '.join(map(str, expected))}: connect the estimate made from this measurement."
        )
    noise = Noise(restoration.seed, [*range(samples)] * count, SAMPLING_STAGE)
    start = vae.format.process_in(estimate.float()).repeat_interleave(samples, dim=0)

    def solve(denoise: Denoiser, problem: Problem, callback: Callback) -> Tensor:
        x = start.to(problem.measurement.device)
        return renoised_posterior_sampling(problem, denoise, guidance, sampler, x, sigmas, noise, callback)

    return restoration.run(solve, samples, gradients=guidance.differentiates and sigmas[0] > 0)


def takes_text(model) -> bool:
    """Whether the model's network has an input for what a text encoder gives."""
    config = model.model.model_config.unet_config
    return any(key.startswith("context") and value is not None for key, value in config.items())
