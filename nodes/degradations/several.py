from __future__ import annotations

from comfy_api.latest import io

from ...operators import Degradation
from ...operators.compose import Compose
from ...operators.stack import Stack
from ..inputs import CATEGORY, DegradationType, degradation_output


class ComposeDegradations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_ComposeDegradations",
            display_name="Compose Degradations (MAP-RPS)",
            category=CATEGORY,
            description="One damage after the other, as in: blurred first, then shrunk.",
            inputs=[
                DegradationType.Input("first", tooltip="What happened to the image first."),
                DegradationType.Input("second", tooltip="What happened to the result."),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, first: Degradation, second: Degradation) -> io.NodeOutput:
        return io.NodeOutput(Compose(first, second))


class StackDegradations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_StackDegradations",
            display_name="Stack Degradations (MAP-RPS)",
            category=CATEGORY,
            description="Two measurements of one image, side by side in one picture, as in: shrunk on the left, and "
            "blurred on the right. Restoring uses both.",
            inputs=[
                DegradationType.Input("first", tooltip="What the left half of the measurement shows."),
                DegradationType.Input("second", tooltip="What its right half shows."),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, first: Degradation, second: Degradation) -> io.NodeOutput:
        return io.NodeOutput(Stack(first, second))
