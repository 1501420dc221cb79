from __future__ import annotations

import folder_paths
from comfy_api.latest import io

from ..host.pixel_model import as_host_model
from ..models import load_embedded, load_pixel_network
from ..models.embedded import NAME as EMBEDDED_NAME

EXTENSIONS = (".safetensors", ".pt", ".pth", ".ckpt")


class LoadPixelModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = [f for f in folder_paths.get_filename_list("diffusion_models") if f.lower().endswith(EXTENSIONS)]
        return io.Schema(
            node_id="MAPRPS_LoadPixelModel",
            display_name="Load Pixel Model (MAP-RPS)",
            category="MAP-RPS",
            description="Loads a diffusion model that works on pixels: the small prior that comes with the pack, or a "
            "guided-diffusion (ADM) checkpoint from models/diffusion_models. Stable Diffusion is loaded by Load "
            "Checkpoint, for the latent nodes.",
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=[EMBEDDED_NAME, *files],
                    default=EMBEDDED_NAME,
                    tooltip="The embedded prior knows edges and textures of photographs. Unconditional "
                    "guided-diffusion files (.pt or .safetensors) in models/diffusion_models load too, such as "
                    "OpenAI's 256x256_diffusion_uncond.pt and DPS's ffhq_10m.pt.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="For the nodes on pixels, which need no VAE.")],
        )

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        if model_name == EMBEDDED_NAME:
            return io.NodeOutput(as_host_model(load_embedded()))
        path = folder_paths.get_full_path_or_raise("diffusion_models", model_name)
        return io.NodeOutput(as_host_model(load_pixel_network(path)))
