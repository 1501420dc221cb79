"""What a node shows on itself: the kernel or the mask of a degradation, which is an output too; photos before and
after."""

from __future__ import annotations

from comfy_api.latest import io, ui
from torch import Tensor

from ..evaluation.pictures import kernel_picture, mask_picture
from ..operators import Degradation
from ..operators.inpainting import Selection

PREVIEW_SIDE = 256  # of a mask that was asked for without an image
COMPARED = 8  # images of a batch that are shown before and after: the first ones


def kernel_output(tooltip: str = "What a point of light becomes; white is its maximum.") -> io.Output:
    return io.Image.Output("shown_kernel", display_name="kernel", tooltip=tooltip)


def mask_output(tooltip: str = "1 (white) where pixels are missing.") -> io.Output:
    return io.Mask.Output("shown_mask", display_name="mask", tooltip=tooltip)


def size_from_input() -> io.Input:
    return io.Image.Input(
        "image",
        optional=True,
        tooltip=f"Only for the mask that this node shows: one of this image's size. Without it, "
        f"{PREVIEW_SIDE}x{PREVIEW_SIDE}. The degradation is the same for any image.",
    )


def mask_size(image) -> tuple[int, int]:
    return (PREVIEW_SIDE, PREVIEW_SIDE) if image is None else tuple(image.shape[1:3])


def with_kernel(degradation: Degradation, kernel: Tensor) -> io.NodeOutput:
    """kernel: [h, w], or several [K, h, w]."""
    kernel, shown = kernel_picture(kernel)
    return io.NodeOutput(degradation, kernel, ui=ui.PreviewImage(shown))


def with_mask(degradation: Degradation, height: int, width: int, shown: Degradation | None = None) -> io.NodeOutput:
    """For one whose operator measures some entries and not others. shown: in its place, in the picture of the mask."""
    operator = (shown or degradation).build(3, height, width)
    assert isinstance(operator, Selection)
    mask = (~operator.known[0]).float()
    return io.NodeOutput(degradation, mask, ui=ui.PreviewImage(mask_picture(mask)))


def before_and_after(before: Tensor, after: Tensor) -> dict[str, list]:
    """A part of a node's ui output: the pictures that web/compare.js shows. before, after: IMAGE [N, H, W, 3], of any
    two sizes."""
    pictures = {"before": before, "after": after}
    return {name: ui.PreviewImage(image[:COMPARED]).as_dict()["images"] for name, image in pictures.items()}
