from __future__ import annotations

from comfy_api.latest import io

from .. import operators
from ..operators.resampling import KERNELS
from ..operators.separable import BOUNDARIES
from .types import DegradationType

CATEGORY = "MAP-RPS/degradations"
UNPAINTED = (64, 64)  # the size of the host's mask for an image that has none, whatever the image's own


class Denoising(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Denoising",
            display_name="Denoising (MAP-RPS)",
            category=CATEGORY,
            description="Nothing but noise: the measurement is the image plus noise of the given standard deviation.",
            inputs=[],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(operators.Denoising())


class SuperResolution(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_SuperResolution",
            display_name="Super-Resolution (MAP-RPS)",
            category=CATEGORY,
            description="The image was shrunk by a whole factor; restoring enlarges it by that factor.",
            inputs=[
                io.Int.Input("factor", default=4, min=2, max=16, tooltip="How many times smaller each side became."),
                io.Combo.Input(
                    "kernel",
                    options=list(KERNELS),
                    default="bicubic",
                    optional=True,
                    tooltip="How it was shrunk. bicubic and lanczos: antialiased, as MATLAB's imresize does; bicubic "
                    "(PIL): as Pillow, which differs at the border; box: the mean of each block of pixels; gaussian: "
                    "blurred with std 0.4 x factor, then thinned out.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, factor: int, kernel: str = "bicubic") -> io.NodeOutput:
        return io.NodeOutput(operators.SuperResolution(factor=factor, kernel=kernel))


class GaussianBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_GaussianBlur",
            display_name="Gaussian Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a Gaussian; restoring sharpens it.",
            inputs=[
                io.Int.Input(
                    "size",
                    default=61,
                    min=1,
                    max=255,
                    step=2,
                    optional=True,
                    tooltip="Width of the kernel in pixels, odd. 61 is the field's usual one; beyond 6 sigma it "
                    "changes little.",
                ),
                io.Float.Input(
                    "sigma",
                    default=3.0,
                    min=0.1,
                    max=50.0,
                    step=0.1,
                    optional=True,
                    tooltip="Standard deviation of the blur in pixels.",
                ),
                io.Combo.Input(
                    "boundary",
                    options=list(BOUNDARIES),
                    default="reflect",
                    optional=True,
                    tooltip="What the blur met beyond the image's edge. reflect suits photos; papers often take "
                    "circular.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, size: int = 61, sigma: float = 3.0, boundary: str = "reflect") -> io.NodeOutput:
        return io.NodeOutput(operators.GaussianBlur(size=size, sigma=sigma, boundary=boundary))


class Inpainting(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Inpainting",
            display_name="Inpainting (MAP-RPS)",
            category=CATEGORY,
            description="Some pixels are missing; restoring fills them in. What they hold in the measurement is "
            "ignored.",
            inputs=[
                io.Mask.Input(
                    "mask",
                    tooltip="1 (white) where pixels are missing; above 0.5 counts as missing. One mask for the whole "
                    "batch. Paint it in Load Image: right-click the image > Open in MaskEditor.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, mask) -> io.NodeOutput:
        if mask.shape[-2:] == UNPAINTED and not mask.any():
            raise ValueError(
                "The mask is empty, as Load Image gives it for a photo without one: right-click the image > Open in "
                "MaskEditor, paint what is missing, and save."
            )
        return io.NodeOutput(operators.Inpainting.from_mask(mask.cpu()))
