"""Stage 2 inside the host's SamplerCustomAdvanced, with its NOISE, SIGMAS and schedulers.

Either our sampler drives any of the host's guiders, or our guider serves any of its samplers.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import comfy.samplers
import torch
from torch import Tensor

from ..solvers.guidance import Guidance, GuidedDenoiser
from ..solvers.noise import Noise
from ..solvers.posterior_sampling import Sampler
from .clip_noise import drawn_for_first, noise_of_first
from .denoiser import HostDenoiser, check_finite, to_noise_std
from .frames import with_frame_axis, without_frame_axis
from .memory import sparing
from .noise_mask import within
from .restoration import SAMPLING_STAGE, Restoration
from .run import Conditioning

HOOKS = "sampler_post_cfg_function"


class PosteriorSampler(comfy.samplers.Sampler):
    """SAMPLER: from latent_image + sigma * noise to a sample of the posterior.

    The latent image is the MAP estimate; an empty one (zeros) makes it plain posterior sampling from the first sigma.
    frames: the measurements are those of a clip, and all get the noise of the first.
    """

    def __init__(self, restoration: Restoration, guidance: Guidance, sampler: Sampler, frames: bool = False):
        self.restoration, self.guidance, self.sampler, self.frames = restoration, guidance, sampler, frames

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, *_, **__
    ) -> Tensor:
        latent_format = model_wrap.inner_model.latent_format
        noise = without_frame_axis(noise)
        copies, numbers = copies_of(noise, self.restoration), streams(noise)
        if self.frames:
            noise, numbers = noise_of_first(noise, copies), numbers[:copies] * self.restoration.count
        workload = self.restoration.workload(copies, self.guidance.differentiates)
        workload = replace(workload, model=model_wrap.model_patcher)

        def report(step: int, total: int, estimate: Tensor) -> None:
            if callback is not None:
                estimate = with_frame_axis(estimate, latent_format)
                callback(step - 1, estimate, estimate, total)

        def attempt(frugal: bool) -> Tensor:
            planned = workload.planned(frugal)
            planned.load(model_wrap.loaded_models)
            seed = extra_args.get("seed")
            denoise = HostDenoiser(model_wrap, extra_args.get("model_options", {}), seed, planned.cut)
            levels = [to_noise_std(denoise.sampling, float(sigma)) for sigma in sigmas]
            fresh = Noise(seed or 0, numbers, SAMPLING_STAGE)
            with planned.solving(model_wrap):
                guided = self.guidance(self.restoration.problem(copies), denoise)
                latents = torch.zeros_like(noise) if latent_image is None else without_frame_axis(latent_image).clone()
                sampler = self.sampler
                if denoise_mask is not None:
                    sampler = within(without_frame_axis(denoise_mask).clone(), sampler, latents)
                sampled = sampler(guided, latents + levels[0] * noise, levels, fresh, report)
                check_finite(sampled)
                return with_frame_axis(sampled, latent_format)

        return sparing(attempt, self.guidance.differentiates)


class PosteriorGuider(comfy.samplers.CFGGuider):
    """GUIDER: where a guider of the host returns E[x0 | x_sigma], this one returns E[x0 | x_sigma, y].

    frames: the measurements are those of a clip, and all get the noise of the first, also what samplers add on the way.
    """

    def __init__(self, restoration: Restoration, guidance: Guidance, frames: bool = False):
        restoration.check_prompts()
        self.workload = restoration.workload(gradients=guidance.differentiates).resident()
        super().__init__(self.workload.model)
        self.restoration, self.guidance, self.frames = restoration, guidance, frames
        conditioning = Conditioning(restoration.positive, restoration.negative, restoration.cfg)
        conditioning.apply(self, guidance.differentiates)

    def sample(self, noise: Tensor, *args, **kwargs) -> Tensor:
        self.guided: GuidedDenoiser | None = None  # every run has its own, without a history
        if not self.frames:
            return super().sample(noise, *args, **kwargs)
        copies = copies_of(noise, self.restoration)
        with drawn_for_first(copies):
            return super().sample(noise_of_first(noise, copies), *args, **kwargs)

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: dict = {}, seed=None) -> Tensor:  # noqa: B006
        shape = without_frame_axis(x).shape
        copies = copies_of(x, self.restoration)
        # What the sampler adds, such as hooks, is not for the prior's own call.
        own_options = {**self.model_options, "transformer_options": model_options["transformer_options"]}

        def attempt(frugal: bool) -> Tensor:
            if self.guided is None or frugal:
                workload = replace(self.workload, model=self.model_patcher, shape=tuple(shape))
                self.planned = workload.planned(frugal)
            with self.planned.solving(self):
                if self.guided is None or frugal:
                    self.denoise = HostDenoiser(_Prior(self), own_options, seed, self.planned.cut)
                    self.guided = self.guidance(self.restoration.problem(copies), self.denoise)
                self.denoise.set_options(own_options, seed)
                sigma = to_noise_std(self.denoise.sampling, float(timestep.flatten()[0]))
                next_sigma = _next_sigma(model_options, timestep, self.denoise)
                denoised = self.guided(self.denoise.from_host_state(x, sigma), sigma, next_sigma).denoised
                return with_frame_axis(denoised, self.denoise.latent_format)

        denoised = sparing(attempt, self.guidance.differentiates)
        return self._seen_by_the_sampler(denoised, x, timestep, model_options)

    def _seen_by_the_sampler(self, denoised: Tensor, x: Tensor, timestep: Tensor, model_options: dict) -> Tensor:
        """denoised, after the hooks by which the host's CFG++ samplers read the unconditional prediction.

        Given the measurement there is one prediction, which stands for both: they then go as those without CFG++.
        """
        seen = dict.fromkeys(("denoised", "cond_denoised", "uncond_denoised"), denoised)
        given = {"input": x, "sigma": timestep, "model": self.inner_model, "model_options": model_options}
        conds = {"cond": self.conds["positive"], "uncond": self.conds["negative"], "cond_scale": self.cfg}
        for hook in model_options.get(HOOKS, []):
            if hook not in self.model_options.get(HOOKS, []):
                seen["denoised"] = hook({**seen, **given, **conds})
        return seen["denoised"]


class _Prior:
    """The guider without the measurement, as `HostDenoiser` calls it."""

    def __init__(self, guider: PosteriorGuider):
        self.guider, self.inner_model = guider, guider.inner_model
        self.conds, self.cfg = guider.conds, guider.cfg

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict, seed: int) -> Tensor:
        return comfy.samplers.CFGGuider.predict_noise(self.guider, x, sigma, model_options, seed)


def _next_sigma(model_options: dict, timestep: Tensor, denoise: HostDenoiser) -> float:
    """The level after this one, of those that the host's sampler was given; some samplers also go between them."""
    levels = model_options["transformer_options"]["sample_sigmas"]
    below = levels[levels < timestep.flatten()[0] * (1 - 1e-6)]
    return to_noise_std(denoise.sampling, float(below.max())) if len(below) else 0.0


def streams(noise: Tensor) -> list[int]:
    """Sample numbers for noise that goes on as each image's begins, wherever it lies in a batch (the host's
    batch_index). Images that begin alike are numbered among themselves, and differ."""
    digests = [hashlib.blake2b(image.float().cpu().numpy().tobytes(), digest_size=8).digest() for image in noise]
    return [int.from_bytes(digest, "big") + digests[:i].count(digest) for i, digest in enumerate(digests)]


def copies_of(x: Tensor, restoration: Restoration) -> int:
    """How many latent images there are for each measurement. Raises ValueError for another size than it asks for."""
    x, expected = without_frame_axis(x), restoration.workload().shape
    if len(x) % expected[0] or tuple(x.shape[1:]) != expected[1:]:
        raise ValueError(
            f"The latent image is {' x '.join(map(str, x.shape))}, but the measurement and its degradation ask for "
            f"{' x '.join(map(str, expected))} or a multiple of that batch: connect the estimate made from this "
            "measurement, or an empty latent of its size."
        )
    return len(x) // expected[0]
