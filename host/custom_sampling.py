"""Stage 2 inside the host's SamplerCustomAdvanced, with its NOISE, SIGMAS and schedulers.

Either our sampler drives any of the host's guiders, or our guider serves any of its samplers.
"""

from __future__ import annotations

import comfy.samplers
from torch import Tensor

from ..solvers.guidance import Guidance, GuidanceWithHistory, begin
from ..solvers.noise import Noise
from ..solvers.posterior_sampling import Sampler
from .denoiser import HostDenoiser, to_noise_std
from .gradients import with_resident_weights
from .latent import LatentRestoration
from .pixel import SAMPLING_STAGE, Restoration
from .run import UNCONDITIONAL, load, solving, with_vae


class PosteriorSampler(comfy.samplers.Sampler):
    """SAMPLER: from latent_image + sigma * noise to a sample of the posterior.

    The latent image is the MAP estimate; an empty one (zeros) makes it plain posterior sampling from the first sigma.
    """

    def __init__(
        self, restoration: Restoration | LatentRestoration, guidance: Guidance | GuidanceWithHistory, sampler: Sampler
    ):
        self.restoration, self.guidance, self.sampler = restoration, guidance, sampler

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_, **__) -> Tensor:
        model, gradients, vae = model_wrap.model_patcher, self.guidance.differentiates, self.restoration.host_vae
        check_shape(noise, self.restoration)
        load(model, noise.shape, gradients, vae)
        denoise = HostDenoiser(model_wrap, extra_args.get("model_options", {}), extra_args.get("seed"))
        levels = [to_noise_std(denoise.sampling, float(sigma)) for sigma in sigmas]
        fresh = Noise(extra_args.get("seed") or 0, range(len(noise)), SAMPLING_STAGE)

        def report(step: int, total: int, estimate: Tensor) -> None:
            if callback is not None:
                callback(step - 1, estimate, estimate, total)

        with solving(model_wrap, model, noise.shape, gradients, vae):
            problem = self.restoration.problem(model.load_device, len(noise) // len(self.restoration.measurement))
            guidance = begin(self.guidance)
            start = noise.clone() * levels[0]
            if latent_image is not None:
                start = start + latent_image

            def guided(x: Tensor, sigma: float, next_sigma: float):
                return guidance(problem, denoise, x, sigma, next_sigma)

            return self.sampler(guided, start, levels, fresh, report)


class PosteriorGuider(comfy.samplers.CFGGuider):
    """GUIDER: where a guider of the host returns E[x0 | x_sigma], this one returns E[x0 | x_sigma, y]."""

    def __init__(self, restoration: Restoration | LatentRestoration, guidance: Guidance | GuidanceWithHistory):
        restoration.check_prompts()
        model, vae = restoration.model, restoration.host_vae
        if guidance.differentiates:
            model = with_resident_weights(model)
        super().__init__(model if vae is None else with_vae(model, vae))
        self.restoration, self.guidance = restoration, guidance
        self.set_conds(restoration.positive or UNCONDITIONAL, restoration.negative or UNCONDITIONAL)
        self.set_cfg(restoration.cfg)

    def sample(self, *args, **kwargs) -> Tensor:
        self.term = begin(self.guidance)
        return super().sample(*args, **kwargs)

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: dict = {}, seed=None) -> Tensor:  # noqa: B006
        prior = _Prior(self)
        denoise = HostDenoiser(prior, model_options, seed)
        sigma = to_noise_std(denoise.sampling, float(timestep.flatten()[0]))
        gradients, vae = self.guidance.differentiates, self.restoration.host_vae
        check_shape(x, self.restoration)
        with solving(self, self.model_patcher, x.shape, gradients, vae):
            problem = self.restoration.problem(x.device, len(x) // len(self.restoration.measurement))
            state = x.clone() * (1 + sigma) if denoise.flow else x.clone()
            next_sigma = _next_sigma(model_options, timestep, denoise)
            return self.term(problem, denoise, state, sigma, next_sigma).denoised


class _Prior:
    """The guider without the measurement, as `HostDenoiser` calls it."""

    def __init__(self, guider: PosteriorGuider):
        self.guider, self.inner_model = guider, guider.inner_model

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict, seed) -> Tensor:
        return comfy.samplers.CFGGuider.predict_noise(self.guider, x, sigma, model_options, seed)


def _next_sigma(model_options: dict, timestep: Tensor, denoise: HostDenoiser) -> float:
    """The level after this one, of those that the host's sampler was given; some samplers also go between them."""
    levels = model_options["transformer_options"]["sample_sigmas"]
    below = levels[levels < timestep.flatten()[0] * (1 - 1e-6)]
    return to_noise_std(denoise.sampling, float(below.max())) if len(below) else 0.0


def check_shape(x: Tensor, restoration: Restoration | LatentRestoration) -> None:
    """Raises ValueError for a latent image of another size than the measurement asks for."""
    count, *expected = restoration.shape()
    if len(x) % count or tuple(x.shape[1:]) != tuple(expected):
        raise ValueError(
            f"The latent image is {' x '.join(map(str, x.shape))}, but the measurement and its degradation ask for "
            f"{' x '.join(map(str, (count, *expected)))} or a multiple of that batch: connect the estimate made from "
            "this measurement, or an empty latent of its size."
        )
