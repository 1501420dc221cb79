"""What evaluation draws, as IMAGE tensors [1, H, W, 3], with Pillow."""

from .contact_sheet import contact_sheet
from .distortion_perception import TraversalPoint, distortion_perception_plot
from .error_map import error_map
from .histogram import residual_histogram
from .kernel_picture import kernel_picture, mask_picture
from .level_plot import level_plot
from .seen_sheet import seen_sheet
from .zone_plate import zone_plate

__all__ = [
    "TraversalPoint",
    "contact_sheet",
    "distortion_perception_plot",
    "error_map",
    "kernel_picture",
    "level_plot",
    "mask_picture",
    "residual_histogram",
    "seen_sheet",
    "zone_plate",
]
