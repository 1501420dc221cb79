from __future__ import annotations

from comfy_api.latest import io, ui

from ..evaluation.pictures import seen_sheet, zone_plate
from ..host.degradation_info import inspect
from .inputs import CATEGORY, degradation_input, int_input


class DegradationInfo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def side(name: str) -> io.Input:
            return int_input(
                name, 256, (1, 4096), f"The image's {name}, where no image is connected: the one before the damage."
            )

        return io.Schema(
            node_id="MAPRPS_DegradationInfo",
            display_name="Degradation Info (MAP-RPS)",
            category=CATEGORY,
            description="What a degradation is, how much it keeps, how well it can be undone, and what of an image it "
            "cannot see: that part only the model can fill in.",
            inputs=[
                degradation_input(),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A clean image to show the effect on. Without one, rings of every frequency.",
                ),
                side("width"),
                side("height"),
            ],
            outputs=[
                io.String.Output("text", display_name="text", tooltip="The numbers, for Preview as Text."),
                io.Image.Output(
                    "picture", display_name="picture", tooltip="The image, what is seen of it, and what is not."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, degradation, image=None, width=256, height=256) -> io.NodeOutput:
        image = zone_plate(height, width) if image is None else image
        info = inspect(degradation, image)
        picture = seen_sheet(image[0], info.unseen[0])
        shown = ui.PreviewImage(picture).as_dict() | {"text": (info.text,)}
        return io.NodeOutput(info.text, picture, ui=shown)
