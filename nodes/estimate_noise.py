from __future__ import annotations

from comfy_api.latest import io

from ..estimation import estimate_noise, usable_noise
from ..operators.jpeg import luma_tables
from .inputs import CATEGORY


class EstimateNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_EstimateNoise",
            display_name="Estimate Noise (MAP-RPS)",
            category=CATEGORY,
            description="How noisy a photo is, from the photo alone: connect noise_std to the inputs of that name.",
            inputs=[
                io.Image.Input("image", tooltip="The damaged photo, or several that are equally noisy."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 (white) where not to look: fine texture, or what is nearly black or white. Values "
                    "that are exactly black or white are left out anyway.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    "noise_std",
                    display_name="noise_std",
                    tooltip="Standard deviation on the 0..1 scale to restore the photo with, over all channels and "
                    "images; what JPEG has changed counts as noise.",
                ),
                io.String.Output(
                    "text",
                    display_name="text",
                    tooltip="The same by image and channel, and why the noise may be stronger; for Preview as Text.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image, mask=None) -> io.NodeOutput:
        found = estimate_noise(image, mask)
        usable = usable_noise(image, mask, found, luma_tables())
        text = f"{found.text}\n{usable.text}"
        return io.NodeOutput(usable.noise_std, text, ui={"text": (text,)})
