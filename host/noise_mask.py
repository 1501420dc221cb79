"""The noise_mask of a host's LATENT: what may change, 1, and what stays as it is, 0."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..solvers.guidance import Guided
from ..solvers.posterior_sampling import Sampler


def of_latents(noise_mask: Tensor, latents: Tensor) -> Tensor:
    """[1 or B, 1, h, w] for latents, [B, C, h, w], resized as the host does it. noise_mask: one for all, [H, W], or one
    for each, [B, H, W], also with axes of length one before H.

    Raises ValueError for another number of masks.
    """
    mask = noise_mask.reshape(-1, 1, *noise_mask.shape[-2:]).to(latents)
    if len(mask) not in (1, len(latents)):
        raise ValueError(
            f"The noise_mask of the latents holds {len(mask)} masks for {len(latents)} images: give one for all, or "
            "one for each."
        )
    return interpolate(mask, size=latents.shape[-2:], mode="bilinear")


def within(mask: Tensor, sampler: Sampler, latents: Tensor) -> Sampler:
    """The sampler where the mask is 1; where it is 0 it returns `latents`, and between there is a part of both.

    mask: broadcasts to latents, [B, C, h, w], from which the sampler starts. As the host's samplers do it, the guided
    denoiser sees them at each level with the noise that they began with.
    """

    def masked(guided, x, sigmas, noise, callback) -> Tensor:
        drawn = (x - latents) / sigmas[0]

        def guided_within(x: Tensor, sigma: float, next_sigma: float) -> Guided:
            x = torch.lerp(latents + sigma * drawn, x, mask)
            denoised, noise_scale = guided(x, sigma, next_sigma)
            return Guided(torch.lerp(latents, denoised, mask), noise_scale)

        return sampler(guided_within, x, sigmas, noise, callback)

    return masked
