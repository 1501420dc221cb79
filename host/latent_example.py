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

from ..models.weights import read_weights

PATH = Path(__file__).parent.parent / "models" / "latent_example.safetensors"
UNET_PREFIX = "model.diffusion_model."

LATENT_CHANNELS = 16  # of the file that is shipped


def unet_config(channels: int) -> dict:
    """What the host's UNet is made of, for so many latent channels."""
    return {
        "image_size": 32,
        "in_channels": channels,
        "out_channels": channels,
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
    """The VAE scales to unit variance itself. The file's header says how the host shows latents while it samples."""

    def __init__(self, channels: int, header: dict):
        self.latent_channels = channels
        self.latent_rgb_factors = header.get("latent_rgb_factors")
        self.latent_rgb_factors_bias = header.get("latent_rgb_factors_bias")


class _Config(comfy.supported_models_base.BASE):
    supported_inference_dtypes = [torch.float16, torch.bfloat16, torch.float32]
    memory_usage_factor = 0.5
    trained_size = 512  # it knows crops of 192 pixels, but has no attention, and sees other sizes alike


def load_latent_example(path: Path = PATH) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.VAE]:
    """MODEL, which predicts v, and VAE, of a file of tools/train_latent_example.py.

    Raises FileNotFoundError where the file is not there.
    """
    weights, header = read_weights(path)
    unet = {key: weights.pop(key) for key in list(weights) if key.startswith(UNET_PREFIX)}
    load_device = comfy.model_management.get_torch_device()
    dtype = comfy.model_management.unet_dtype(
        device=load_device,
        model_params=sum(w.numel() for w in unet.values()),
        supported_dtypes=_Config.supported_inference_dtypes,
    )
    channels = unet[UNET_PREFIX + "input_blocks.0.0.weight"].shape[1]
    config = _Config(unet_config(channels))
    config.latent_format = ExampleLatents(channels, header)
    config.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, load_device))
    model = comfy.model_base.BaseModel(config, model_type=comfy.model_base.ModelType.V_PREDICTION)
    model.load_model_weights(unet, UNET_PREFIX)
    patcher = comfy.model_patcher.ModelPatcher(
        model, load_device=load_device, offload_device=comfy.model_management.unet_offload_device()
    )
    return patcher, comfy.sd.VAE(sd=weights)
