"""What a person does not know of a photo's damage, read off the photo: how noisy it is, and its blur."""

from .blur_kernel import BlurEstimate, estimate_blur
from .noise_std import NoiseEstimate, estimate_noise

__all__ = ["BlurEstimate", "NoiseEstimate", "estimate_blur", "estimate_noise"]
