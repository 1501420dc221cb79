from __future__ import annotations

from comfy_api.latest import io, ui

from ..estimation import estimate_blur
from ..evaluation.pictures import kernel_picture
from ..host.progress import progress_bar
from ..operators.kernel_blur import KernelBlur
from .degradations.blur import boundary_input
from .inputs import CATEGORY, degradation_output, int_input
from .preview import kernel_output


class EstimateBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_EstimateBlur",
            display_name="Estimate Blur (MAP-RPS)",
            category=CATEGORY,
            description="The blur of a shaken or unfocused photo, from the photo alone, as a degradation to restore it "
            "with. A start: look at the kernel.",
            inputs=[
                io.Image.Input(
                    "photo", tooltip="One blurred photo with edges. Its middle 512x512 pixels are looked at."
                ),
                int_input(
                    "size",
                    31,
                    (5, 127),
                    "Room for the kernel in pixels, odd: somewhat more than the blur is wide.",
                    step=2,
                ),
                boundary_input(),
            ],
            outputs=[
                degradation_output(),
                kernel_output("The kernel that was found: what a point of light became; white is its maximum."),
                io.String.Output(
                    "text", display_name="text", tooltip="Shape, fit and limits of the kernel, for Preview as Text."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, photo, size: int = 31, boundary: str = "reflect") -> io.NodeOutput:
        found = estimate_blur(photo, size, progress_bar())
        blur = KernelBlur.from_array(found.kernel.cpu(), boundary)
        exact, shown = kernel_picture(found.kernel)
        preview = ui.PreviewImage(shown).as_dict() | {"text": (found.text,)}
        return io.NodeOutput(blur, exact, found.text, ui=preview)
