"""VAEs of the host whose decoder is known in closed form. Needs comfy."""

from __future__ import annotations

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch
from torch import Tensor, nn

from maprps.operators.resampling import SuperResolution


def pixel_space_vae() -> comfy.sd.VAE:
    """What the host's VAELoader makes for "pixel_space"."""
    return comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})


class LinearAutoencoder(nn.Module):
    """Decodes by linear interpolation to `scale` times the size, encodes by the mean of each block.

    Its one weight is 1, so that there is something to load and to differentiate through.
    """

    def __init__(self, scale: int):
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.ones(()))

    def decode(self, z: Tensor) -> Tensor:
        height, width = (n * self.scale for n in z.shape[-2:])
        up = SuperResolution(self.scale, "bicubic").build(z.shape[1], height, width, dtype=z.dtype)
        return self.weight * up.adjoint(z) * self.scale**2

    def encode(self, x: Tensor) -> Tensor:
        return self.weight * nn.functional.avg_pool2d(x, self.scale)


def linear_vae(scale: int = 4) -> comfy.sd.VAE:
    vae = pixel_space_vae()
    vae.first_stage_model = LinearAutoencoder(scale)
    vae.downscale_ratio = vae.upscale_ratio = scale
    vae.patcher = comfy.model_patcher.ModelPatcher(
        vae.first_stage_model, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    return vae
