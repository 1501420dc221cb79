from __future__ import annotations

from comfy_api.latest import io

from ...operators.box_inpainting import BoxInpainting
from ...operators.inpainting import Inpainting
from ...operators.random_inpainting import RandomInpainting
from ..inputs import CATEGORY, combo_input, degradation_output, float_input, seed_input
from ..preview import PREVIEW_SIDE, mask_output, mask_size, size_from_input, with_mask

UNPAINTED = (64, 64)  # the size of the host's mask for an image that has none, whatever the image's own
CENTRED = -1.0
MOST_SHOWN = 1024  # pixels of a side of an image that is not known; a box beyond is shown smaller


class InpaintingNode(io.ComfyNode):
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
            outputs=[degradation_output(), mask_output()],
        )

    @classmethod
    def execute(cls, mask) -> io.NodeOutput:
        if mask.shape[-2:] == UNPAINTED and not mask.any():
            raise ValueError(
                "The mask is empty, as Load Image gives it for a photo without one: right-click the image > Open in "
                "MaskEditor, paint what is missing, and save."
            )
        return with_mask(Inpainting.from_mask(mask.cpu()), *mask.shape[-2:])


class BoxInpaintingNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def number(name: str, default: float, tooltip: str) -> io.Input:
            least = min(default, 0.0)
            return float_input(name, default, (least, 16384.0, 0.05), tooltip)

        return io.Schema(
            node_id="MAPRPS_BoxInpainting",
            display_name="Box Inpainting (MAP-RPS)",
            category=CATEGORY,
            description="A rectangle of the image is missing; restoring fills it in.",
            inputs=[
                number("width", BoxInpainting.width, "Of the box: 0.5 is half of the image's width."),
                number("height", BoxInpainting.height, "Of the box: 0.5 is half of the image's height."),
                number("left", CENTRED, "From the image's left edge to the box. -1 puts the box in the middle."),
                number("top", CENTRED, "From the image's upper edge to the box. -1 puts the box in the middle."),
                combo_input(
                    "unit",
                    ["parts", "pixels"],
                    BoxInpainting.unit,
                    "Of the four numbers: parts of the image's sides (0 to 1), or whole pixels.",
                ),
                size_from_input(),
            ],
            outputs=[degradation_output(), mask_output()],
        )

    @classmethod
    def execute(cls, left: float = CENTRED, top: float = CENTRED, image=None, **settings) -> io.NodeOutput:
        box = BoxInpainting(left=None if left < 0 else left, top=None if top < 0 else top, **settings)
        size = mask_size(image)
        if image is None and box.unit == "pixels":  # the box lies in an image whose size is not known here
            right, bottom = box.width + (box.left or 0), box.height + (box.top or 0)
            side = max(PREVIEW_SIDE, 1 + int(max(right, bottom)))
            size = (min(side, MOST_SHOWN),) * 2
            if side > MOST_SHOWN:
                return with_mask(box, *size, _scaled(box, MOST_SHOWN / side))
        return with_mask(box, *size)


def _scaled(box: BoxInpainting, scale: float) -> BoxInpainting:
    """In whole pixels, at least one."""
    width, height = (max(1, int(n * scale)) for n in (box.width, box.height))
    left, top = (None if n is None else int(n * scale) for n in (box.left, box.top))
    return BoxInpainting(width, height, left, top, "pixels")


class RandomInpaintingNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_RandomInpainting",
            display_name="Random Inpainting (MAP-RPS)",
            category=CATEGORY,
            description="Pixels at random places are missing; restoring fills them in.",
            inputs=[
                float_input(
                    "fraction",
                    RandomInpainting.fraction,
                    (0.0, 0.999, 0.01),
                    "How much is missing: 0.5 is half of the pixels. Papers take 0.5 to 0.92.",
                ),
                seed_input("The same seed and image size give the same mask.", False),
                io.Boolean.Input(
                    "per_channel",
                    default=RandomInpainting.per_channel,
                    optional=True,
                    tooltip="Off: a missing pixel lacks red, green and blue. On: each color has its own mask.",
                ),
                size_from_input(),
            ],
            outputs=[degradation_output(), mask_output()],
        )

    @classmethod
    def execute(cls, image=None, **settings) -> io.NodeOutput:
        return with_mask(RandomInpainting(**settings), *mask_size(image))
