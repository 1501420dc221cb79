"""The embedded latent example: a small latent diffusion model in the host's own classes, shipped in models/."""

from __future__ import annotations

from pathlib import Path

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import torch
from safetensors.torch import load_file

PATH = Path(__file__).parent.parent / "models" / "latent_example.safetensors"
UNET_PREFIX = "model.diffusion_model."

LATENT_CHANNELS = 16

UNET_CONFIG = {
    "image_size": 32,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "model_channels": 96,
    "channel_mult": [1, 2],
    "num_res_blocks": [2, 1],
    "transformer_depth": [0, 0, 0],
    "transformer_depth_output": [0, 0, 0, 0, 0],
    "transformer_depth_middle": -1,
    "num_heads": 1,
    "use_spatial_transformer": False,
    "legacy": False,
}


class ExampleLatents(comfy.latent_formats.LatentFormat):
    """The VAE scales to unit variance itself."""

    latent_channels = LATENT_CHANNELS


class _Config(comfy.supported_models_base.BASE):
    latent_format = ExampleLatents
    supported_inference_dtypes = [torch.float16, torch.bfloat16, torch.float32]
    memory_usage_factor = 0.5


def load_latent_example() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.VAE]:
    """MODEL, which predicts v, and VAE. Raises FileNotFoundError where the file is not there."""
    weights = load_file(PATH)
    unet = {key: weights.pop(key) for key in list(weights) if key.startswith(UNET_PREFIX)}
    load_device = comfy.model_management.get_torch_device()
    dtype = comfy.model_management.unet_dtype(
        device=load_device,
        model_params=sum(w.numel() for w in unet.values()),
        supported_dtypes=_Config.supported_inference_dtypes,
    )
    config = _Config(UNET_CONFIG)
    config.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, load_device))
    model = comfy.model_base.BaseModel(config, model_type=comfy.model_base.ModelType.V_PREDICTION)
    model.load_model_weights(unet, UNET_PREFIX)
    patcher = comfy.model_patcher.ModelPatcher(
        model, load_device=load_device, offload_device=comfy.model_management.unet_offload_device()
    )
    return patcher, comfy.sd.VAE(sd=weights)
