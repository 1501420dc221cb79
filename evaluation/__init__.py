"""Is a restoration good? Measures, maps and plots, as IMAGE tensors. Pure torch, numpy and Pillow (SSIM: kornia)."""

from .contact_sheet import contact_sheet
from .distortion_perception import TraversalPoint, distortion_perception_plot
from .error_map import error_map
from .histogram import residual_histogram
from .level_plot import level_plot
from .quality import gradient_distance, psnr, rmse, sharpness, ssim
from .uncertainty import Uncertainty, uncertainty

__all__ = [
    "TraversalPoint",
    "Uncertainty",
    "contact_sheet",
    "distortion_perception_plot",
    "error_map",
    "gradient_distance",
    "level_plot",
    "psnr",
    "residual_histogram",
    "rmse",
    "sharpness",
    "ssim",
    "uncertainty",
]
