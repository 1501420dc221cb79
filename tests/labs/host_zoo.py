"""Today's image models, tiny: instances of the host's own classes with random weights. Needs comfy.

What they compute means nothing; that it is the host's computation, in the model's own parametrization, latent format
and shape, does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import comfy.latent_formats
import comfy.ldm.chroma.model
import comfy.ldm.chroma_radiance.model
import comfy.ldm.flux.model
import comfy.ldm.hunyuan_video.model
import comfy.ldm.wan.vae
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import pytest
import torch
from labs.host_vaes import pixel_space_vae
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate


@dataclass(frozen=True)
class Kind:
    """A model class of the host, and how to make it tiny.

    config: its name in comfy.supported_models. network: what its network is made with. tokens, pooled: widths of a
    prompt. ratio: of the VAE; 1 of a pixel model. size: of the image. changed: model_type, or a latent_format by name.
    """

    config: str
    network: dict[str, Any]
    tokens: int = 16
    pooled: int = 0
    more: dict[str, Any] = field(default_factory=dict)
    ratio: int = 8
    size: int = 64
    changed: dict[str, str] = field(default_factory=dict)


UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [1, 1],
    "transformer_depth_output": [1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "legacy": False,
    "context_dim": 16,
    "num_heads": 2,
    "num_head_channels": -1,
}
SDXL = {**UNET, "num_classes": "sequential", "adm_in_channels": 16 + 6 * 256, "use_linear_in_transformer": True}
SVD = {
    **UNET,
    "in_channels": 8,
    "num_classes": "sequential",
    "use_temporal_attention": True,
    "use_temporal_resblock": True,
    "use_spatial_context": True,
    "extra_ff_mix_layer": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
    "video_kernel_size": [3, 1, 1],
}
MMDIT = {
    "input_size": None,
    "patch_size": 2,
    "in_channels": 16,
    "depth": 2,
    "adm_in_channels": 16,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 16, "out_features": 128}},
    "pos_embed_max_size": 16,
    "num_patches": 256,
    "pos_embed_scaling_factor": None,
    "context_size": 16,
    "qk_norm": "rms",
}
FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": 16,
    "context_in_dim": 16,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 2,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
LONGCAT = {**FLUX, "vec_in_dim": None, "guidance_embed": False, "txt_ids_dims": [1, 2]}
FLUX2 = {
    **FLUX,
    "image_model": "flux2",
    "in_channels": 128,
    "out_channels": 128,
    "patch_size": 1,
    "vec_in_dim": None,
    "axes_dim": [4, 4, 4, 4],
    "global_modulation": True,
    "mlp_silu_act": True,
    "qkv_bias": False,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
    "txt_ids_dims": [3],
}
CHROMA = {
    **{key: value for key, value in FLUX.items() if key != "guidance_embed"},
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 32,
    "hidden_dim": 32,
    "n_layers": 2,
    "vec_in_dim": None,
}
RADIANCE = {
    **CHROMA,
    "image_model": "chroma_radiance",
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": 16,
    "nerf_hidden_size": 16,
    "nerf_mlp_ratio": 2,
    "nerf_depth": 2,
    "nerf_max_freqs": 4,
    "nerf_tile_size": 512,
    "nerf_final_head_type": "conv",
    "nerf_embedder_dtype": torch.float32,
    "use_x0": False,
    "use_sequential_txt_ids": False,
}
LUMINA = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 32,
    "cap_feat_dim": 16,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "qk_norm": True,
    "n_heads": 2,
    "n_kv_heads": 2,
    "axes_dims": [4, 6, 6],
    "axes_lens": [64, 64, 64],
    "rope_theta": 10000.0,
    "ffn_dim_multiplier": 4.0,
    "multiple_of": 16,
}
Z_IMAGE = {
    **LUMINA,
    "dim": 256,
    "axes_dims": [32, 48, 48],
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
    "rope_theta": 256.0,
}
QWEN = {
    "image_model": "qwen_image",
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 16,
    "axes_dims_rope": (4, 6, 6),
}
COSMOS = {
    "image_model": "cosmos_predict2",
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "concat_padding_mask": True,
    "crossattn_emb_channels": 16,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
    "num_blocks": 2,
    "num_heads": 2,
    "extra_per_block_abs_pos_emb": False,
    "rope_h_extrapolation_ratio": 4.0,
    "rope_w_extrapolation_ratio": 4.0,
    "rope_enable_fps_modulation": False,
}
WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 32,
    "ffn_dim": 64,
    "freq_dim": 16,
    "text_dim": 16,
    "num_heads": 2,
    "num_layers": 2,
    "in_dim": 16,
    "out_dim": 16,
}
KREA = {
    "image_model": "krea2",
    "features": 32,
    "tdim": 16,
    "txtdim": 16,
    "heads": 2,
    "kvheads": 2,
    "multiplier": 2,
    "layers": 2,
    "txtlayers": 1,
    "txtheads": 2,
    "txtkvheads": 2,
}
O1 = {
    "image_model": "hidream_o1",
    "text_config_overrides": {
        "vocab_size": 151936,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "rope_dims": [4, 2, 2],
    },
    "vision_config_overrides": {
        "hidden_size": 16,
        "num_heads": 2,
        "intermediate_size": 16,
        "depth": 1,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": (),
    },
}
PIXELDIT = {
    "image_model": "pixeldit_t2i",
    "num_groups": 2,
    "hidden_size": 32,
    "pixel_hidden_size": 8,
    "pixel_attn_hidden_size": 32,
    "pixel_num_groups": 2,
    "patch_depth": 2,
    "pixel_depth": 1,
    "txt_embed_dim": 16,
    "txt_max_length": 16,
}
HIDREAM = {
    "image_model": "hidream",
    "attention_head_dim": 16,
    "axes_dims_rope": [8, 4, 4],
    "caption_channels": [16, 16],
    "max_resolution": [16, 16],
    "in_channels": 16,
    "llama_layers": [0, 0, 0],
    "num_attention_heads": 2,
    "num_routed_experts": 2,
    "num_activated_experts": 2,  # all, for a choice among them has steps
    "num_layers": 1,
    "num_single_layers": 1,
    "out_channels": 16,
    "patch_size": 2,
    "text_emb_dim": 16,
}
OMNIGEN = {
    "image_model": "omnigen2",
    "axes_dim_rope": [4, 6, 6],
    "axes_lens": [64, 64, 64],
    "hidden_size": 32,
    "multiple_of": 16,
    "num_attention_heads": 2,
    "num_kv_heads": 2,
    "num_layers": 2,
    "num_refiner_layers": 1,
    "text_feat_dim": 16,
    "timestep_scale": 1000.0,
}
KANDINSKY = {
    "image_model": "kandinsky5",
    "model_dim": 32,
    "axes_dims": (4, 6, 6),
    "rope_scale_factor": (1.0, 1.0, 1.0),
    "time_dim": 16,
    "ff_dim": 64,
    "visual_embed_dim": 64,
    "in_text_dim": 16,
    "in_text_dim2": 16,
    "num_text_blocks": 1,
    "num_visual_blocks": 2,
}
ERNIE = {
    "image_model": "ernie",
    "hidden_size": 32,
    "num_attention_heads": 2,
    "num_layers": 2,
    "ffn_hidden_size": 64,
    "text_in_dim": 16,
    "rope_axes_dim": (4, 6, 6),
}
LENS = {
    "image_model": "lens",
    "patch_size": 1,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "enc_hidden_dim": 16,
    "axes_dims_rope": (4, 6, 6),
    "out_channels": 128,
    "multi_layer_encoder_feature": False,
}
MAGE = {
    "image_model": "mage_flow",
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 16,
    "axes_dims_rope": (4, 6, 6),
}
IDEOGRAM = {
    "image_model": "ideogram4",
    "emb_dim": 32,
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "intermediate_size": 64,
    "adaln_dim": 16,
    "in_channels": 128,
    "llm_features_dim": 16,
    "mrope_section": [4, 2, 2],
}
JOY = {
    "image_model": "joyimage",
    "hidden_size": 32,
    "num_attention_heads": 2,
    "text_dim": 16,
    "num_layers": 2,
    "rope_dim_list": [4, 6, 6],
}
HUNYUAN = {
    "image_model": "hunyuan_video",
    "in_channels": 64,
    "out_channels": 64,
    "patch_size": [1, 1],
    "vec_in_dim": None,
    "axes_dim": [8, 8],
    "context_in_dim": 16,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "theta": 256,
    "qkv_bias": True,
    "guidance_embed": False,
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
Z_PIXELS = {
    **Z_IMAGE,
    "image_model": "zimage_pixel",
    "patch_size": 16,
    "in_channels": 3,
    "decoder_in_channels": 3 * 16**2,
    "decoder_hidden_size": 256,
    "decoder_num_res_blocks": 1,
    "decoder_max_freqs": 4,
    "use_x0": False,
}

ZOO = {
    "SD1.5": Kind("SD15", UNET),
    "SD2.1": Kind("SD20", {**UNET, "use_linear_in_transformer": True}, changed={"model_type": "V_PREDICTION"}),
    "SD1.5 inpainting": Kind("SD15", {**UNET, "in_channels": 9}),
    "SDXL": Kind("SDXL", SDXL, pooled=16),
    "SDXL, v-prediction": Kind("SDXL", SDXL, pooled=16, changed={"model_type": "V_PREDICTION"}),
    "SDXL inpainting": Kind("SDXL", {**SDXL, "in_channels": 9}, pooled=16),
    "InstructPix2Pix": Kind("SD15_instructpix2pix", {**UNET, "in_channels": 8}),
    "SDXL InstructPix2Pix": Kind("SDXL_instructpix2pix", {**SDXL, "in_channels": 8}, pooled=16),
    "SD x4 upscaler": Kind(
        "SD_X4Upscaler",
        {**UNET, "in_channels": 7, "num_classes": 1000, "disable_self_attentions": [True, False]},
        ratio=4,
        size=32,
    ),
    "Playground 2.5": Kind(
        "SDXL", SDXL, pooled=16, changed={"model_type": "EDM", "latent_format": "SDXL_Playground_2_5"}
    ),
    "SD3": Kind("SD3", MMDIT, pooled=16),
    "SD3.5": Kind("SD3", {**MMDIT, "x_block_self_attn_layers": [0]}, pooled=16),
    "Flux": Kind("Flux", FLUX, pooled=16),
    "Flux schnell": Kind("FluxSchnell", {**FLUX, "guidance_embed": False}, pooled=16),
    "Flux Fill": Kind("FluxInpaint", {**FLUX, "in_channels": 96}, pooled=16),
    "Flux.2": Kind("Flux2", FLUX2, ratio=16),
    "Chroma": Kind("Chroma", CHROMA),
    "Chroma Radiance": Kind("ChromaRadiance", RADIANCE, ratio=1, size=32),
    "Chroma Radiance, x0-prediction": Kind("ChromaRadiance", {**RADIANCE, "use_x0": True}, ratio=1, size=32),
    "Lumina 2": Kind("Lumina2", LUMINA),
    "Z-Image": Kind("ZImage", Z_IMAGE),
    "AuraFlow": Kind(
        "AuraFlow",
        {
            "dim": 64,
            "n_layers": 2,
            "n_double_layers": 1,
            "n_heads": 1,
            "global_conddim": 64,
            "cond_seq_dim": 16,
            "max_seq": 64,
        },
    ),
    "PixArt Sigma": Kind(
        "PixArtSigma",
        {
            "image_model": "pixart_sigma",
            "input_size": 16,
            "pe_interpolation": 1,
            "hidden_size": 32,
            "depth": 2,
            "num_heads": 2,
            "caption_channels": 16,
            "micro_condition": False,
        },
        size=272,  # the host's own position embedding fails below
    ),
    "HiDream": Kind("HiDream", HIDREAM, pooled=16, more={"conditioning_llama3": torch.zeros(1, 1, 7, 16)}),
    "Qwen-Image": Kind("QwenImage", QWEN),
    "Wan 2.1": Kind("WAN21_T2V", WAN),
    "Cosmos Predict2": Kind("CosmosT2IPredict2", COSMOS),
    "Krea 2": Kind("Krea2", KREA),
    "Anima": Kind("Anima", {**COSMOS, "image_model": "anima", "crossattn_emb_channels": 1024}, tokens=1024),
    "LongCat-Image": Kind("LongCatImage", LONGCAT),
    "OmniGen 2": Kind("Omnigen2", OMNIGEN, more={"attention_mask": torch.ones(1, 7, dtype=torch.long)}),
    "Kandinsky 5 image": Kind("Kandinsky5Image", KANDINSKY, pooled=16),
    "Ernie-Image": Kind("ErnieImage", ERNIE, ratio=16),
    "Lens": Kind("Lens", LENS, ratio=16),
    "Mage-Flow": Kind("MageFlow", MAGE, ratio=16),
    "Ideogram 4": Kind("Ideogram4", IDEOGRAM, ratio=16),
    "JoyImage": Kind("JoyImage", JOY),
    "HunyuanImage 2.1": Kind("HunyuanImage21", HUNYUAN, ratio=32),
    "Z-Image, pixels": Kind("ZImagePixelSpace", Z_PIXELS, ratio=1, size=32),
    "HiDream-O1": Kind("HiDreamO1", O1, ratio=1, more={"text_input_ids": torch.arange(5, 12)[None]}),
    "PixelDiT": Kind("PixelDiTT2I", PIXELDIT, ratio=1, size=32),
}

OF_VIDEO = {
    "SVD": Kind("SVD_img2vid", {**SVD, "adm_in_channels": 768}),
    "SV3D": Kind("SV3D_u", {**SVD, "adm_in_channels": 256}),
}
"""UNets that take a batch for the frames of a video."""

PARAMETERS = {
    "flux": comfy.ldm.flux.model.FluxParams.__dataclass_fields__,
    "flux2": comfy.ldm.flux.model.FluxParams.__dataclass_fields__,
    "chroma": comfy.ldm.chroma.model.ChromaParams.__dataclass_fields__,
    "chroma_radiance": comfy.ldm.chroma_radiance.model.ChromaRadianceParams.__dataclass_fields__,
    "hunyuan_video": comfy.ldm.hunyuan_video.model.HunyuanVideoParams.__dataclass_fields__,
}
"""What these networks are made with, which is less on older hosts."""


def tiny_model(name: str) -> comfy.model_patcher.ModelPatcher:
    """A MODEL of the zoo. Skips the test where this host has no such class."""
    kind = {**ZOO, **OF_VIDEO}[name]
    if not hasattr(comfy.supported_models, kind.config):
        pytest.skip(f"this host has no {kind.config}")
    network = kind.network
    if (known := PARAMETERS.get(network.get("image_model"))) is not None:
        if network.get("use_x0") and "use_x0" not in known:
            pytest.skip("this host's Chroma Radiance predicts no x0")
        network = {key: value for key, value in network.items() if key in ("image_model", *known)}
    config = getattr(comfy.supported_models, kind.config)(network)
    config.unet_config.update(network)
    if "latent_format" in kind.changed:
        config.latent_format = getattr(comfy.latent_formats, kind.changed["latent_format"])()
    config.set_inference_dtype(torch.float32, None)
    if "model_type" in kind.changed:
        config.model_type = lambda *_: comfy.model_base.ModelType[kind.changed["model_type"]]
    model = config.get_model({}, "")
    randomize(model.diffusion_model)
    return comfy.model_patcher.ModelPatcher(
        model, load_device=comfy.model_management.get_torch_device(), offload_device=torch.device("cpu")
    )


def latent_shape(name: str, model: comfy.model_patcher.ModelPatcher) -> tuple[int, ...]:
    side = ZOO[name].size // ZOO[name].ratio
    return 1, model.model.latent_format.latent_channels, side, side


def randomize(network: nn.Module) -> None:
    """Weights that keep the scale of what passes, and let every part count."""
    for name, buffer in network.named_buffers():
        if name == "pos_embed":  # SD3's, which comes with the file
            buffer.copy_(torch.randn(buffer.shape, generator=torch.Generator().manual_seed(1)))
    generator = torch.Generator().manual_seed(0)
    for name, weight in network.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            weight.data = 0.7 * noise / weight[0].numel() ** 0.5
        else:
            weight.data = 0.1 * noise + (1.0 if name.endswith(("weight", "scale", "gamma")) else 0.0)


def tiny_prompt(name: str, seed: int = 1) -> list:
    """CONDITIONING of seven tokens."""
    kind = ZOO[name]
    generator = torch.Generator().manual_seed(seed)
    more = {**kind.more, "pooled_output": None}
    if kind.pooled:
        more["pooled_output"] = torch.randn(1, kind.pooled, generator=generator)
    return [[torch.randn(1, 7, kind.tokens, generator=generator), more]]


class TinyAutoencoder(nn.Module):
    """Decodes by a fixed mixture of channels, enlarged; encodes by block means and the mixture's pseudoinverse."""

    def __init__(self, channels: int, ratio: int, mean: Tensor, std: Tensor):
        super().__init__()
        self.ratio = ratio
        mixture = torch.randn(3, channels, generator=torch.Generator().manual_seed(2)) / (2 * channels**0.5)
        self.mixture = nn.Parameter(mixture)
        self.mean, self.std = nn.Parameter(mean), nn.Parameter(std)

    def decode(self, z: Tensor) -> Tensor:
        flat = z.squeeze(2) if z.ndim == 5 else z
        white = (flat - self.mean) / self.std
        x = torch.tanh(torch.einsum("ij,bjhw->bihw", self.mixture, white))
        x = interpolate(x, scale_factor=self.ratio, mode="bilinear")
        return x.unsqueeze(2) if z.ndim == 5 else x

    def encode(self, x: Tensor) -> Tensor:
        flat = avg_pool2d(x.squeeze(2) if x.ndim == 5 else x, self.ratio)
        z = self.mean + self.std * torch.einsum("ij,bjhw->bihw", torch.linalg.pinv(self.mixture), flat)
        return z.unsqueeze(2) if x.ndim == 5 else z


def tiny_vae(name: str, model: comfy.model_patcher.ModelPatcher) -> comfy.sd.VAE | None:
    """A VAE of the model's channels, ratio and dimensions, whose latents have the format's mean and std."""
    ratio, latent_format = ZOO[name].ratio, model.model.latent_format
    if ratio == 1:
        return None
    channels, dimensions = latent_format.latent_channels, latent_format.latent_dimensions
    zero = torch.zeros(1, channels, *[1] * dimensions)
    mean = latent_format.process_out(zero)
    std = latent_format.process_out(zero + 1) - mean
    vae = pixel_space_vae()
    vae.first_stage_model = TinyAutoencoder(channels, ratio, mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1))
    vae.latent_channels, vae.latent_dim = channels, dimensions
    if dimensions == 3:
        vae.upscale_ratio = (lambda frames: max(0, frames * 4 - 3), ratio, ratio)
        vae.downscale_ratio = (lambda frames: max(0, (frames + 3) // 4), ratio, ratio)
        vae.memory_used_decode = lambda shape, dtype: 4 * shape[2] * shape[3] * shape[4]
    else:
        vae.downscale_ratio = vae.upscale_ratio = ratio
    vae.patcher = comfy.model_patcher.ModelPatcher(
        vae.first_stage_model, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    return vae


def wan_vae() -> comfy.sd.VAE:
    """The video VAE of Wan 2.1, which Qwen-Image and others share, as the host makes it of a file's weights."""
    network = comfy.ldm.wan.vae.WanVAE(dim=16, z_dim=16, temperal_downsample=[False, True, True])
    randomize(network)
    return comfy.sd.VAE(sd=network.state_dict())
