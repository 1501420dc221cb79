"""The frame axis of image models that share a video's VAE: the host's latents are [B, C, 1, h, w].

Solvers never see it.
"""

from __future__ import annotations

import comfy.latent_formats
from torch import Tensor


def has_frame_axis(latent_format: comfy.latent_formats.LatentFormat) -> bool:
    return latent_format.latent_dimensions == 3


def with_frame_axis(x: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> Tensor:
    """[B, C, h, w] as the host has latents of this format."""
    return x.unsqueeze(2) if has_frame_axis(latent_format) and x.ndim == 4 else x


def without_frame_axis(x: Tensor) -> Tensor:
    """The host's latents or pixels as [B, C, h, w]. Raises ValueError for a video."""
    if x.ndim < 5:
        return x
    if x.shape[2] != 1:
        raise ValueError(f"These latents are a video of {x.shape[2]} frames: connect those of one image.")
    return x.squeeze(2)
