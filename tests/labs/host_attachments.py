"""What a person attaches to a tiny Stable Diffusion 1.5: CLIP, LoRA and ControlNet, of the host's own classes. Needs
comfy."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import torch
from labs.host_zoo import UNET, randomize, tiny_model, tiny_vae

import nodes

RANK = 2
CLIP = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}


def tiny_clip() -> comfy.sd.CLIP:
    target = SimpleNamespace(params={}, clip=comfy.sd1_clip.SD1ClipModel, tokenizer=comfy.sd1_clip.SD1Tokenizer)
    clip = comfy.sd.CLIP(target, model_options={"clip_l_model_config": CLIP, "dtype": torch.float32})
    randomize(clip.cond_stage_model)
    return clip


def tiny_controlnet() -> comfy.controlnet.ControlNet:
    decoder = ("out_channels", "transformer_depth_output")
    encoder = {name: value for name, value in UNET.items() if name not in decoder}
    network = comfy.cldm.cldm.ControlNet(**encoder, hint_channels=3)
    randomize(network)
    return comfy.controlnet.ControlNet(network, load_device=comfy.model_management.get_torch_device())


def lora_of(patcher: comfy.model_patcher.ModelPatcher, prefix: str = "") -> dict[str, torch.Tensor]:
    """A LoRA file's tensors, for the attention of a MODEL, or with the prefix of files for text encoders of a CLIP."""
    generator, tensors = torch.Generator().manual_seed(6), {}
    for name, weight in patcher.model.state_dict().items():
        if name.endswith((".to_q.weight", ".q_proj.weight")):
            layer, (rows, columns) = prefix + name.removesuffix(".weight"), weight.shape
            tensors[f"{layer}.lora_up.weight"] = 0.3 * torch.randn(rows, RANK, generator=generator)
            tensors[f"{layer}.lora_down.weight"] = 0.3 * torch.randn(RANK, columns, generator=generator)
    return tensors


def with_attachments() -> tuple[comfy.model_patcher.ModelPatcher, dict, list[comfy.model_patcher.ModelPatcher]]:
    """(MODEL with a LoRA; vae, clip, prompts and cfg of the nodes; patchers of all that a run may touch)."""
    model, clip, control = tiny_model("SD1.5"), tiny_clip(), tiny_controlnet()
    vae = tiny_vae("SD1.5", model)
    lora = {**lora_of(model), **lora_of(clip.patcher, "text_encoders.")}
    patched, patched_clip = comfy.sd.load_lora_for_models(model, clip, lora, 1.0, 1.0)
    prompts = [nodes.CLIPTextEncode().encode(patched_clip, text)[0] for text in ("a cat", "")]
    hint = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(7))
    positive, negative = nodes.ControlNetApplyAdvanced().apply_controlnet(*prompts, control, hint, 0.5, 0.0, 1.0)
    given = {"vae": vae, "clip": patched_clip, "positive": positive, "negative": negative, "cfg": 2.0}
    touched = [model, patched, clip.patcher, patched_clip.patcher, vae.patcher, control.control_model_wrapped]
    return patched, given, touched
