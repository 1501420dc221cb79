"""The host's model as a denoiser: denoised = denoise(x, sigma) with x = x0 + sigma * eps."""

from __future__ import annotations

import time

import comfy.model_sampling
import torch
from comfy.model_management import OOM_EXCEPTION, throw_exception_if_processing_interrupted
from comfy.patcher_extension import WrappersMP, add_wrapper
from torch import Tensor

from .coverage import check_coverage
from .frames import with_frame_axis, without_frame_axis
from .gradients import with_own_skips, without_caches
from .pixel_model import check_sampling
from .tiled_model import TiledPrediction
from .tiles import WHOLE, Cut


class HostDenoiser:
    """Wraps what the host hands to a sampler, with conditioning, guidance scale, LoRA and patches applied.

    eps, v and EDM models already speak of x0 + sigma * eps. A flow model's state (1 - t) x0 + t * scale * eps is
    (1 - t) times that, with sigma = scale * t / (1 - t).
    cut: how the model is given pictures that are too large for it. Any call can be cancelled by who waits for it.
    """

    def __init__(self, guider, model_options: dict, seed: int, cut: Cut = WHOLE):
        self.guider = guider
        self.tiled = None if cut == WHOLE else TiledPrediction(cut)
        self.set_options(model_options, seed)
        self.sampling = guider.inner_model.model_sampling
        self.latent_format = guider.inner_model.latent_format
        check_sampling(guider.inner_model)
        self.sigma_min, self.sigma_max = sigma_range(self.sampling)
        self.calls, self.began = 0, time.perf_counter()

    def set_options(self, model_options: dict, seed: int) -> None:
        """What the host's sampler gives for the calls that follow."""
        self.model_options, self.seed = with_own_skips(model_options), seed
        if self.tiled is not None:
            add_wrapper(WrappersMP.CALC_COND_BATCH, self.tiled, self.model_options, is_model_options=True)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        throw_exception_if_processing_interrupted()
        self.calls += 1
        if torch.is_grad_enabled() and x.requires_grad:
            with without_caches(self.guider.inner_model):
                denoised = self._denoise(x, sigma)
        else:
            with torch.inference_mode():
                denoised = self._denoise(x, sigma)
            if not torch.is_inference_mode_enabled():
                denoised = denoised.clone()
        if not torch.isfinite(denoised.detach()).all():
            check_finite(x)
            raise ValueError(
                f"The model returned NaN or infinity at noise level {float(sigma.max()):.3g}: load it in a wider "
                "floating point type (start ComfyUI with --force-fp32), or check that its file is whole."
            )
        return denoised

    def from_host_state(self, state: Tensor, sigma: float) -> Tensor:
        """A copy of what the host's samplers work on at this level, as x0 + sigma * eps."""
        scale = flow_scale(self.sampling)
        return without_frame_axis(state.clone()) * (1 if scale is None else 1 + sigma / scale)

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        scale = flow_scale(self.sampling)
        if scale is not None:
            x = x * (scale / (scale + sigma)).view(-1, *[1] * (x.ndim - 1))
            sigma = sigma / (scale + sigma)
        x = with_frame_axis(x, self.latent_format)
        check_coverage(self.guider, x, sigma)
        try:
            denoised = self.guider(x, sigma, model_options=self.model_options, seed=self.seed)
        except RuntimeError as error:
            self._check_size(x, error)
            raise
        return without_frame_axis(denoised)

    def _check_size(self, x: Tensor, error: RuntimeError) -> None:
        """Some of the host's networks fail on what is no multiple of their patches; most pad it."""
        patch = getattr(self.guider.inner_model.diffusion_model, "patch_size", None)
        height, width = x.shape[-2:]
        if isinstance(patch, int) and (height % patch or width % patch) and not isinstance(error, OOM_EXCEPTION):
            kind = "images" if self.latent_format.latent_channels == 3 else "latents"
            raise ValueError(
                f"This model takes {kind} with sides that are multiples of {patch}, and here they are {width} and "
                f"{height}: choose another image size."
            ) from error


def check_finite(x: Tensor) -> None:
    """Raises ValueError where what is sampled has become NaN or infinite."""
    if not torch.isfinite(x.detach()).all():
        raise ValueError(
            "The image became NaN or infinite on the way: make guidance_scale smaller where the guidance has one, or "
            "start ComfyUI with --fp32-vae where there is a VAE."
        )


def flow_scale(sampling) -> float | None:
    """The std of a flow's noise at its end, t = 1; None of a model that is no flow."""
    return getattr(sampling, "noise_scale", 1.0) if isinstance(sampling, comfy.model_sampling.CONST) else None


def sigma_range(sampling) -> tuple[float, float]:
    """The least and the greatest sigma of a host's model_sampling, as std of the noise on x0."""
    return to_noise_std(sampling, float(sampling.sigma_min)), to_noise_std(sampling, float(sampling.sigma_max))


def to_noise_std(sampling, sigma: float) -> float:
    """A sigma of the host's as the std of the noise on x0; the last instants of a flow, where it diverges, are cut."""
    scale = flow_scale(sampling)
    if scale is None:
        return sigma
    time = min(sigma, 0.999)
    return scale * time / (1 - time)
