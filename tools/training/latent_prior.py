"""The latent example's prior: ComfyUI's UNet, trained to predict v (Salimans & Ho 2022) on latents of unit variance."""

from __future__ import annotations

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor, nn

from maprps.host.latent_example import unet_config

PLAIN = ("out.", "input_blocks.0.")
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -0.4, 1.4


def new_latent_prior(channels: int) -> UNetModel:
    torch.manual_seed(0)
    unet = UNetModel(**unet_config(channels))
    for name, p in unet.named_parameters():
        if name.endswith("bias") or name.endswith("out_layers.3.weight") or name.startswith("out.2."):
            nn.init.zeros_(p)
        elif p.ndim >= 2:
            nn.init.kaiming_normal_(p, nonlinearity="linear")
        else:
            nn.init.ones_(p)
    return unet


def latent_prior_loss(unet: nn.Module, clean: Tensor, known: Tensor) -> Tensor:
    """Squared error of v = (eps - sigma x0) / sqrt(1 + sigma^2). known: the noise levels of the host, rising."""
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(len(clean), device=clean.device)).exp()
    steps = (known.log() - sigma.log()[:, None]).abs().argmin(1)
    sigma = known[steps].view(-1, 1, 1, 1)
    noise, root = torch.randn_like(clean), (1 + sigma**2).sqrt()
    noisy = ((clean + sigma * noise) / root).contiguous(memory_format=torch.channels_last)
    return (unet(noisy, steps.float()).float() - (noise - sigma * clean) / root).square().mean()
