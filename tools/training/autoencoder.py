"""The latent example's VAE: ComfyUI's TAESD, trained from scratch to reconstruct.

There is noise on its latents, so that nearby latents mean nearby pictures.
"""

from __future__ import annotations

import torch
from comfy.taesd.taesd import TAESD
from torch import Tensor, nn

DOWNSCALE = 8
LATENT_NOISE = 0.05
PLAIN = ("vae.taesd_encoder.0.", "vae.taesd_encoder.14.", "vae.taesd_decoder.1.", "vae.taesd_decoder.19.")
RATE = 0.25  # no normalization layers: at 1 it diverges


class Autoencoder(nn.Module):
    """forward(x, noise): the latents of x [B, 3, H, W] in [-1, 1], and what is decoded of them with noise."""

    def __init__(self, channels: int):
        super().__init__()
        torch.manual_seed(0)
        self.vae = TAESD(latent_channels=channels)
        self.vae.vae_scale.requires_grad = self.vae.vae_shift.requires_grad = False
        for name, p in self.vae.named_parameters():
            if name.startswith("vae_"):
                continue
            if name.endswith("bias") or name.endswith("conv.4.weight"):
                nn.init.zeros_(p)  # so a residual block is the identity at first
            else:
                nn.init.kaiming_normal_(p)

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.vae.encode(x)
        return latents, self.vae.decode(latents + LATENT_NOISE * noise)


def autoencoder_loss(model: nn.Module, clean: Tensor, channels: int) -> Tensor:
    """Squared error in model units, and a penalty that keeps the latents' standard deviation at 1 or less."""
    count, _, height, width = clean.shape
    noise = torch.randn(count, channels, height // DOWNSCALE, width // DOWNSCALE, device=clean.device)
    latents, decoded = model(clean.contiguous(memory_format=torch.channels_last), noise)
    excess = (latents.float().square().mean((0, 2, 3)) - 1).relu().square().mean()
    return (decoded.float() - clean).square().mean() + 0.1 * excess
