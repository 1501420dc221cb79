"""Write a model file with random weights, of true shapes, that ComfyUI's own loaders read.

    python -m tools.make_random_checkpoint sd15 models/checkpoints/random_sd15.safetensors
    python -m tools.make_random_checkpoint lora models/loras/random_lora.safetensors --seed 1

For tests and for timing: they load, patch and cost what real ones do, without a download, and make no pictures. The
shapes come from the classes of the ComfyUI that COMFYUI_PATH names, the kind is what it detects. All are fp16:

    kind        folder            loader                  what                                                      MB
    sd15        checkpoints       CheckpointLoaderSimple  Stable Diffusion 1.5, full size: UNet, VAE, CLIP        2133
    sd21        diffusion_models  UNETLoader              SD 2.1, predicts v: UNet of one width, few attentions    174
    sdxl        diffusion_models  UNETLoader              SDXL: UNet of one width, full depth on the way down      320
    sd3         diffusion_models  UNETLoader              SD 3, a flow model: 2 blocks of width 128                  5
    lora        loras             LoraLoader              for SD 1.5: every attention of UNet and CLIP, rank 4       2
    controlnet  controlnet        ControlNetLoader        for SD 1.5, full size                                    723

Weights keep the variance of what goes through them; the layers that training starts at zero are small, so that the
network is near the identity where a trained one is at first. One file for one seed.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
from pathlib import Path

import comfy.ops
import comfy.utils
import torch
from comfy import supported_models
from comfy.cldm.cldm import ControlNet
from comfy.ldm.models.autoencoder import AutoencoderKL
from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.sd1_clip import SD1ClipModel
from torch import Tensor

Shapes = dict[str, torch.Size]

UNET = {"image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True, "legacy": False}
"""What the host assumes of every UNet. Depths of attention are listed from the full resolution down, both ways."""

SD15_SIZE = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
}
SD21_SIZE = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 1, 1, 1],
    "transformer_depth": [1, 1, 0, 0, 0, 0, 0, 0],
    "transformer_depth_output": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "transformer_depth_middle": 1,
}
SDXL_SIZE = {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 1, 1],
    "transformer_depth": [0, 0, 2, 2, 10, 10],  # the host tells SDXL by these
    "transformer_depth_output": [0, 0, 0, 1, 1, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "num_classes": "sequential",
}
VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
SD3_SIZE = {
    "in_channels": 16,
    "depth": 2,  # of 64 channels each
    "adm_in_channels": 2048,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 128}},
    "num_patches": 64**2,
    "pos_embed_max_size": 64,
}

CONTROL_HINT_CHANNELS = 3
LORA_RANK, LORA_STRENGTH = 4, 0.3

ZERO_AT_FIRST = (
    "out_layers.3.weight",
    "proj_out.weight",
    "input_hint_block.14.weight",
    "middle_block_out.0.weight",
    "adaLN_modulation.1.weight",
    "final_layer.linear.weight",
)
ZERO_AT_FIRST_GAIN = 0.25
BIAS_STD, NORM_STD = 0.02, 0.1
V_PREDICTION_MARK, V_PREDICTION_STD = "output_blocks.11.1.transformer_blocks.0.norm1.bias", 0.2
"""The host takes an SD 2 for one that predicts v where this bias has a standard deviation above 0.09."""


def sd15() -> Shapes:
    config = supported_models.SD15(supported_models.SD15.unet_config | UNET | SD15_SIZE)
    text = SD1ClipModel(device="meta", dtype=torch.float16)
    parts = (
        config.process_unet_state_dict_for_saving(unet(config).state_dict()),
        config.process_vae_state_dict_for_saving(AutoencoderKL(ddconfig=VAE, embed_dim=4).state_dict()),
        config.process_clip_state_dict_for_saving(text.state_dict()),
    )
    return {name: tensor.shape for part in parts for name, tensor in part.items()}


def sd21() -> Shapes:
    return shapes(unet(supported_models.SD20(supported_models.SD20.unet_config | UNET | SD21_SIZE)))


def sdxl() -> Shapes:
    return shapes(unet(supported_models.SDXL(supported_models.SDXL.unet_config | UNET | SDXL_SIZE)))


def sd3() -> Shapes:
    return shapes(MMDiT(input_size=None, **SD3_SIZE, operations=comfy.ops.disable_weight_init))


def controlnet() -> Shapes:
    config = supported_models.SD15(supported_models.SD15.unet_config | UNET | SD15_SIZE).unet_config
    del config["out_channels"]
    operations = comfy.ops.disable_weight_init
    return shapes(ControlNet(**config, hint_channels=CONTROL_HINT_CHANNELS, operations=operations))


def lora() -> Shapes:
    """Two factors for each projection of the attentions, named as kohya's trainer names them."""
    config = supported_models.SD15(supported_models.SD15.unet_config | UNET | SD15_SIZE)
    names = comfy.utils.unet_to_diffusers(config.unet_config)
    model = unet(config).state_dict()
    layers = {f"unet.{n}": model[names[n]].shape for n in names if ".attn" in n and n.endswith(".weight")}
    text = SD1ClipModel(device="meta", dtype=torch.float16).clip_l.transformer.state_dict()
    layers |= {f"te.{n}": text[n].shape for n in text if "self_attn" in n and n.endswith(".weight")}
    factors = {}
    for layer, (rows, columns) in layers.items():
        name = "lora_" + layer.removesuffix(".weight").replace(".", "_")
        factors[f"{name}.lora_up.weight"] = torch.Size((rows, LORA_RANK))
        factors[f"{name}.lora_down.weight"] = torch.Size((LORA_RANK, columns))
    return factors


def unet(config) -> UNetModel:
    return UNetModel(**config.unet_config, operations=comfy.ops.disable_weight_init)


def shapes(module: torch.nn.Module) -> Shapes:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


KINDS = {
    "sd15": (sd15, "checkpoints", "CheckpointLoaderSimple"),
    "sd21": (sd21, "diffusion_models", "UNETLoader"),
    "sdxl": (sdxl, "diffusion_models", "UNETLoader"),
    "sd3": (sd3, "diffusion_models", "UNETLoader"),
    "lora": (lora, "loras", "LoraLoader"),
    "controlnet": (controlnet, "controlnet", "ControlNetLoader"),
}


def random_weight(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Normal: around 1 for the scales of norms, around 0 for the rest."""
    weight = torch.empty(shape).normal_(generator=generator)
    if len(shape) == 1:
        if name.endswith(V_PREDICTION_MARK):
            return weight.mul_(V_PREDICTION_STD)
        return weight.mul_(BIAS_STD) if name.endswith("bias") else weight.mul_(NORM_STD).add_(1)
    std = math.prod(shape[1:]) ** -0.5
    if name.endswith("lora_up.weight"):
        std *= LORA_STRENGTH
    elif name.endswith(ZERO_AT_FIRST) or "zero_convs." in name:
        std *= ZERO_AT_FIRST_GAIN
    return weight.mul_(std)


def make(kind: str, file: Path, seed: int = 0) -> None:
    """A safetensors file: the length of a JSON header in 8 bytes, the header, the weights; one at a time in memory."""
    with torch.device("meta"):
        weights = KINDS[kind][0]()
    header, end = {}, 0
    for name, shape in weights.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator().manual_seed(seed)
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in weights.items():
            out.write(random_weight(name, shape, generator).half().numpy().data)
    part.replace(file)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    if arguments.file.suffix != ".safetensors":
        parser.error(f"{arguments.file} does not end in .safetensors, by which ComfyUI knows the format")
    if not arguments.file.parent.is_dir():
        parser.error(f"there is no folder {arguments.file.parent}")
    make(arguments.kind, arguments.file, arguments.seed)
    _, folder, loader = KINDS[arguments.kind]
    size = arguments.file.stat().st_size / 1e6
    print(f"{arguments.file}: {size:.0f} MB; {loader} reads it from models/{folder}")


if __name__ == "__main__":
    main()
