"""The two stages of MAP-RPS and LMAP-RPS, on ComfyUI's MODEL, VAE, IMAGE and LATENT.

A pixel model is a latent model whose decoder is the identity. Solvers see latents as the model does; what is passed on
is as the VAE has them, the host's convention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import comfy.model_management
import comfy.model_patcher
import comfy.sd
from torch import Tensor

from ..operators import Degradation, Operator
from ..solvers.guidance import Guidance
from ..solvers.map_estimation import Estimate, Method
from ..solvers.noise import Noise
from ..solvers.posterior_sampling import Sampler, renoised_posterior_sampling
from ..solvers.problem import Callback, Problem, identity
from .denoiser import HostDenoiser, check_finite
from .frames import with_frame_axis, without_frame_axis
from .images import check_measurement, measured_problem, to_image, to_model_units
from .noise_mask import of_latents, within
from .progress import with_text
from .run import Conditioning, Result, Solve, Workload, run_solver
from .stage_log import log_stage
from .vae import HostVAE, check_overflow

MAP_STAGE, SAMPLING_STAGE = 1, 2
"""Keep the noise of the two stages apart for one seed."""


class Restored(NamedTuple):
    """latents: as the VAE has them, [B, C, h, w] or with a frame axis, of a pixel model in [-1, 1]; image: IMAGE, not
    clamped."""

    latents: Tensor
    image: Tensor


@dataclass(frozen=True, eq=False)
class Restoration:
    """What both stages are given: a measurement with its degradation, MODEL and conditioning, VAE of a latent model.

    tile: pixels of a side of the tiles that networks are given, 0 for tiles only where the whole does not fit.

    Raises ValueError, before any work, for a latent model without a VAE, a VAE that does not go with the model, a model
    that takes a batch for a video, a measurement that does not fit, or a negative noise std.
    """

    model: comfy.model_patcher.ModelPatcher
    degradation: Degradation
    measurement: Tensor
    noise_std: float
    seed: int
    vae: comfy.sd.VAE | None = None
    positive: list | None = None
    negative: list | None = None
    cfg: float = 1.0
    tile: int = 0

    def __post_init__(self) -> None:
        model = self.model.model
        channels = model.latent_format.latent_channels
        if model.model_config.unet_config.get("use_temporal_attention"):
            raise ValueError(
                f"This model ({type(model).__name__}) makes videos, and takes the pictures of a batch for frames of "
                "one: load a model of images, such as Stable Diffusion 1.5 or SDXL."
            )
        if self.vae is None and channels != 3:
            raise ValueError(
                f"This is a latent model (its images have {channels} channels), but this node works on pixels: load a "
                "pixel model with 'Load Pixel Model (MAP-RPS)'."
            )
        check_measurement(self.measurement, self.noise_std)
        self.problem()

    def check_prompts(self) -> None:
        """Raises ValueError for prompts that are missing."""
        if self.positive is None and takes_text(self.model):
            raise ValueError(
                "This model takes text: connect a prompt (CLIP Text Encode) to 'positive', or for an empty one the "
                "model's CLIP to 'clip'."
            )
        if self.cfg != 1 and self.negative is None:
            raise ValueError(
                f"cfg is {self.cfg:g}, which compares with a negative prompt: connect one to 'negative', or set cfg to "
                "1."
            )

    @property
    def count(self) -> int:
        """Number of measurements."""
        return len(self.measurement)

    @property
    def image_size(self) -> tuple[int, int]:
        return self.degradation.image_size(*self.measurement.shape[1:3])

    @cached_property
    def host_vae(self) -> HostVAE | None:
        """None where latents are pixels."""
        return None if self.vae is None else HostVAE(self.vae, self.model, self.image_size)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return (3, *self.image_size) if self.host_vae is None else self.host_vae.latent_shape

    def workload(self, copies: int = 1, gradients: bool = False) -> Workload:
        """What the host has to make room for: each measurement `copies` times."""
        return Workload(self.model, (self.count * copies, *self.latent_shape), gradients, self.host_vae, self.tile)

    @cached_property
    def operator(self) -> Operator:
        """A of images in 0..1, on the model's device."""
        return self.degradation.build(3, *self.image_size, self.model.load_device)

    def problem(self, copies: int = 1) -> Problem:
        """The measurement in model units, each `copies` times in a row, on the model's device."""
        return replace(self._problem, measurement=self._problem.measurement.repeat_interleave(copies, dim=0))

    @cached_property
    def _problem(self) -> Problem:
        problem, vae = measured_problem(self.operator, self.measurement, self.noise_std), self.host_vae
        if vae is None or vae.is_identity:
            return problem
        return replace(problem, decoder=vae.decode, encoder=vae.encode)

    def run(self, solve: Solve[Result], copies: int = 1, gradients: bool = False) -> Result:
        """solve(denoise, callback) on the model's device. gradients: it differentiates through the model."""
        self.check_prompts()
        conditioning = Conditioning(self.positive, self.negative, self.cfg)
        return run_solver(self.workload(copies, gradients), solve, self.seed, conditioning)

    def restored(self, latents: Tensor, denoise: HostDenoiser, name: str) -> Restored:
        """From latents as the model sees them, inside `run`; of a stage with this name, which is logged.

        Raises ValueError where anything is NaN or infinite.
        """
        latent_format = self.model.model.latent_format
        check_finite(latents)
        as_the_vae_has_them = latent_format.process_out(with_frame_axis(latents, latent_format))
        pixels = self._problem.decoder(latents)
        check_overflow(pixels)
        problem = replace(self.problem(len(pixels) // self.count), decoder=identity, encoder=None)
        log_stage(name, self.model, denoise, self.host_vae, problem.relative_residual(pixels))
        return Restored(as_the_vae_has_them.to(comfy.model_management.intermediate_device()), to_image(pixels))

    def start(self, estimate: Tensor) -> Tensor:
        """A MAP estimate as the model sees it. estimate: latents as the VAE has them, or IMAGE of a pixel model.

        Raises ValueError for one that was made from another measurement.
        """
        pixels, latent_format = self.host_vae is None, self.model.model.latent_format
        if not pixels:
            estimate = without_frame_axis(estimate)
        expected = (self.count, *self.image_size, 3) if pixels else (self.count, *self.latent_shape)
        if tuple(estimate.shape) != expected:
            raise ValueError(
                f"The estimate is {' x '.join(map(str, estimate.shape))}, but the measurement and its degradation ask "
                f"for {' x '.join(map(str, expected))}: connect the estimate made from this measurement."
            )
        if pixels:
            return to_model_units(estimate)
        return without_frame_axis(latent_format.process_in(with_frame_axis(estimate.float(), latent_format)))


def estimate_map(restoration: Restoration, method: Method) -> tuple[Restored, Estimate]:
    """Stage 1, from A^+ y, encoded for a latent model. Returns the restored images and the method's report."""

    def solve(denoise: HostDenoiser, callback: Callback) -> tuple[Restored, Estimate]:
        noise = Noise(restoration.seed, [0] * restoration.count, MAP_STAGE)
        problem = restoration.problem()
        start = problem.operator.initial_guess(problem.measurement)
        if problem.encoder is not None:
            start = problem.encoder(start)
        estimate = method(problem, denoise, start, noise, with_text("MAP estimation", callback))
        return restoration.restored(estimate.image, denoise, f"MAP estimation by {method}"), estimate

    return restoration.run(solve)


def sample_posterior(
    restoration: Restoration,
    estimate: Tensor,
    sigmas: Sequence[float],
    guidance: Guidance,
    sampler: Sampler,
    samples: int = 1,
    noise_mask: Tensor | None = None,
) -> Restored:
    """Stage 2. estimate: as `Restoration.start` takes it, one per measurement. The samples of each come in a row.

    A first sigma of 0 returns the estimate as it is, once per sample. noise_mask: the host's of a LATENT; where it is 0
    the estimate stays as it is.
    """
    start = restoration.start(estimate)
    mask = None if noise_mask is None else of_latents(noise_mask, start)
    start = start.repeat_interleave(samples, dim=0)
    if sigmas[0] == 0 and restoration.host_vae is None:
        return Restored(start, estimate.repeat_interleave(samples, dim=0))

    def solve(denoise: HostDenoiser, callback: Callback) -> Restored:
        noise = Noise(restoration.seed, [*range(samples)] * restoration.count, SAMPLING_STAGE)
        problem = restoration.problem(samples)
        x = start.to(problem.measurement.device)
        run = sampler
        if mask is not None:
            run = within(mask.repeat_interleave(len(x) // len(mask), dim=0).to(x), sampler, x)
        report = with_text("posterior sampling", callback)
        x = renoised_posterior_sampling(problem, denoise, guidance, run, x, sigmas, noise, report)
        name = f"posterior sampling from sigma {sigmas[0]:.3g} by {guidance}, {sampler.__name__}"
        return restoration.restored(x, denoise, name)

    return restoration.run(solve, samples, gradients=guidance.differentiates and sigmas[0] > 0)


def takes_text(model: comfy.model_patcher.ModelPatcher) -> bool:
    """Whether the host knows a text encoder for models of this kind, in latents or in pixels."""
    return hasattr(type(model.model.model_config), "clip_target")
