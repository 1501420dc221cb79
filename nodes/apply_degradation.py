from __future__ import annotations

from comfy_api.latest import io

from ..evaluation.pictures.canvas import to_rgb
from ..host.degrade import degrade
from .inputs import CATEGORY, NOISE_STD, combo_input, degradation_input, noise_std_input, seed_input


class ApplyDegradation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_ApplyDegradation",
            display_name="Apply Degradation (MAP-RPS)",
            category=CATEGORY,
            description="Damages an image and adds noise, to try a restoration where the truth is known. A photo that "
            "is damaged already goes straight into the restoring nodes.",
            inputs=[
                io.Image.Input("image", tooltip="The clean image."),
                degradation_input(),
                noise_std_input(),
                seed_input(
                    "The same seed gives the same noise, whatever the batch and the device.",
                    control_after_generate=False,
                ),
                combo_input(
                    "noise",
                    ["Gaussian", "Poisson"],
                    "Gaussian",
                    "Gaussian: the same everywhere. Poisson: that of counted light, stronger where it is "
                    "bright; noise_std is then its average over the image.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "measurement",
                    display_name="measurement",
                    tooltip="For the restoring nodes: exact, neither clamped nor rounded.",
                ),
                io.Image.Output("view", display_name="view", tooltip="To look at: RGB, clamped to 0..1."),
            ],
        )

    @classmethod
    def execute(cls, image, degradation, noise_std=NOISE_STD, seed=0, noise="Gaussian") -> io.NodeOutput:
        measurement = degrade(image, degradation, noise_std, seed, noise == "Poisson")
        return io.NodeOutput(measurement, to_rgb(degradation.view(measurement)))
