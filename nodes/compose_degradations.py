from __future__ import annotations

from comfy_api.latest import io

from ..operators import compose, degradation
from .types import CATEGORY, DegradationType


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
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, first: degradation.Degradation, second: degradation.Degradation) -> io.NodeOutput:
        return io.NodeOutput(compose.Compose(first, second))
