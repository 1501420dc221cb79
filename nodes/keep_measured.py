from __future__ import annotations

from comfy_api.latest import io

from ..host import match
from ..host.images import measured_problem
from .inputs import NOISE_STD, degradation_input, int_input, measurement_input, noise_std_input


class KeepMeasured(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_KeepMeasured",
            display_name="Keep Measured (MAP-RPS)",
            category="MAP-RPS",
            description="Gives an image back what the measurement knows better: colors over wide areas, where a VAE "
            "has shifted them, and pixels that were never missing.",
            inputs=[
                io.Image.Input("image", tooltip="A restored image, or several for each measurement in a row."),
                degradation_input(),
                measurement_input(),
                noise_std_input(),
                io.Boolean.Input(
                    "keep_colors",
                    optional=True,
                    default=True,
                    tooltip="Take colors and brightness over wide areas from the measurement.",
                ),
                io.Boolean.Input(
                    "keep_known",
                    optional=True,
                    default=False,
                    tooltip="For inpainting: the pixels that were not missing become the measurement's own, noise "
                    "included.",
                ),
                int_input(
                    "feather",
                    4,
                    (0, 64),
                    "Only for keep_known: width of the transition beside the hole, in pixels, on the known side.",
                ),
            ],
            outputs=[
                io.Image.Output("kept", display_name="image", tooltip="The image with what was measured put back.")
            ],
        )

    @classmethod
    def execute(
        cls, image, degradation, measurement, noise_std=NOISE_STD, keep_colors=True, keep_known=False, feather=4
    ) -> io.NodeOutput:
        if len(image) % len(measurement):
            raise ValueError(
                f"There are {len(image)} images for {len(measurement)} measurements: give the same number of images "
                "for each measurement."
            )
        if keep_colors:
            operator = degradation.build(3, *image.shape[1:3], image.device)
            repeated = measurement.repeat_interleave(len(image) // len(measurement), dim=0)
            image = match.match_colors(image, measured_problem(operator, repeated, noise_std))
        if keep_known:
            image = match.keep_known(image, degradation, measurement, feather)
        return io.NodeOutput(image)
