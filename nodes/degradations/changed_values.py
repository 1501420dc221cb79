from __future__ import annotations

from comfy_api.latest import io

from ...operators import Degradation
from ...operators.clipped import Clipped
from ...operators.denoising import Denoising
from ...operators.hdr import HDR
from ...operators.jpeg import JPEG, ROUNDINGS, SUBSAMPLING
from ...operators.quantization import Quantization
from ..inputs import CATEGORY, DegradationType, combo_input, degradation_output, float_input, int_input


class DenoisingNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Denoising",
            display_name="Denoising (MAP-RPS)",
            category=CATEGORY,
            description="Nothing but noise: the measurement is the image plus noise of the given standard deviation.",
            inputs=[],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(Denoising())


class HDRNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_HDR",
            display_name="HDR (MAP-RPS)",
            category=CATEGORY,
            description="Contrast was raised, and dark and bright parts were clipped; restoring brings them back.",
            inputs=[
                float_input(
                    "scale",
                    HDR.scale,
                    (1.0, 100.0, 0.1),
                    "Of the contrast about mid-grey. 2, as in papers, clips what is below 1/4 or above 3/4.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(HDR(**settings))


class JPEGNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_JPEG",
            display_name="JPEG (MAP-RPS)",
            category=CATEGORY,
            description="The image was stored as a JPEG; restoring removes its blocks and rings.",
            inputs=[
                int_input(
                    "quality",
                    JPEG.quality,
                    (1, 100),
                    "As in Pillow and most programs: 10 has strong blocks, 75 is common, 95 is nearly clean.",
                ),
                combo_input(
                    "subsampling",
                    SUBSAMPLING,
                    JPEG.subsampling,
                    "4:2:0 stores color at half the size, as most files do; 4:4:4 at full size.",
                ),
                combo_input(
                    "rounding",
                    ROUNDINGS,
                    JPEG.rounding,
                    "straight-through: the codec exactly, with a made-up gradient. cubic: a smooth "
                    "approximation with its own gradient. Rounding jumps, so another batch size, device or number of "
                    "threads gives a slightly different image.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(JPEG(**settings))


class QuantizationNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Quantization",
            display_name="Quantization (MAP-RPS)",
            category=CATEGORY,
            description="Every value was rounded to one of a few levels, which shows as bands; restoring smooths them.",
            inputs=[
                int_input(
                    "levels",
                    Quantization.levels,
                    (2, 65536),
                    "Values that are left in each color, black and white among them: 8 are 3 bits, 256 a common photo.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(Quantization(**settings))


class ClippedNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Clipped",
            display_name="Clipped (MAP-RPS)",
            category=CATEGORY,
            description="The damaged picture was saved as one: black says 0 or less, white 1 or more, for noise was "
            "cut off there. For noisy photos with much that is nearly black or white.",
            inputs=[
                DegradationType.Input("degradation", tooltip="What happened before. Clipping comes last."),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, degradation: Degradation) -> io.NodeOutput:
        return io.NodeOutput(Clipped(degradation))
