"""Is a restoration good? Measures, maps and plots, as IMAGE tensors. Pure torch, numpy and Pillow (SSIM: kornia)."""

from .blur_estimate import BlurEstimate, estimate_blur
from .contact_sheet import contact_sheet
from .distortion_perception import TraversalPoint, distortion_perception_plot
from .error_map import error_map
from .histogram import residual_histogram
from .kernel_picture import kernel_picture, mask_picture
from .level_plot import level_plot
from .noise_estimate import NoiseEstimate, estimate_noise
from .quality import gradient_distance, psnr, rmse, sharpness, ssim
from .seen_sheet import seen_sheet
from .uncertainty import Uncertainty, uncertainty
from .zone_plate import zone_plate

__all__ = [
    "BlurEstimate",
    "NoiseEstimate",
    "TraversalPoint",
    "Uncertainty",
    "contact_sheet",
    "distortion_perception_plot",
    "error_map",
    "estimate_blur",
    "estimate_noise",
    "gradient_distance",
    "kernel_picture",
    "level_plot",
    "mask_picture",
    "psnr",
    "residual_histogram",
    "rmse",
    "seen_sheet",
    "sharpness",
    "ssim",
    "uncertainty",
    "zone_plate",
]
