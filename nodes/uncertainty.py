from __future__ import annotations

from comfy_api.latest import io

from ..evaluation import uncertainty


class Uncertainty(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Uncertainty",
            display_name="Uncertainty (MAP-RPS)",
            category="MAP-RPS/evaluation",
            description="What several posterior samples agree on, and where they do not: their mean, an estimate of "
            "the least distorted image, and a map of their standard deviation.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="Samples of one image, from Re-noised Posterior Sampling with samples > 1."
                ),
            ],
            outputs=[
                io.Image.Output("mean", display_name="mean", tooltip="The mean of the samples."),
                io.Image.Output(
                    "std_map",
                    display_name="std_map",
                    tooltip="Standard deviation per pixel; the text says what white stands for.",
                ),
                io.String.Output(
                    "text", display_name="text", tooltip="The mean deviation and what white is, for Preview as Text."
                ),
            ],
        )

    @classmethod
    def execute(cls, images) -> io.NodeOutput:
        result = uncertainty(images)
        return io.NodeOutput(result.mean, result.std_map, result.text, ui={"text": (result.text,)})
