from __future__ import annotations

from comfy_api.latest import io

from ..host.latent_example import load_latent_example


class LoadLatentExample(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_LoadLatentExample",
            display_name="Load Latent Example (MAP-RPS)",
            category="MAP-RPS",
            description="The small latent diffusion model that comes with the pack, with its VAE: to try the latent "
            "nodes without a download. For real work load a checkpoint such as Stable Diffusion.",
            inputs=[],
            outputs=[
                io.Model.Output(tooltip="For the latent nodes, together with the VAE."),
                io.Vae.Output(tooltip="The VAE that belongs to the model."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*load_latent_example())
