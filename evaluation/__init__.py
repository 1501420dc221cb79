"""Is a restoration good? Measures here, maps and plots in pictures/, on IMAGE tensors. Pure torch, numpy and Pillow."""

from .quality import gradient_distance, psnr, rmse, sharpness, ssim
from .uncertainty import Uncertainty, uncertainty

__all__ = ["Uncertainty", "gradient_distance", "psnr", "rmse", "sharpness", "ssim", "uncertainty"]
