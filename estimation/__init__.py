"""What a person does not know of a photo's damage, read off the photo: noise, JPEG, blur."""

from .blur_kernel import BlurEstimate, estimate_blur
from .damage import Damage, find_damage, least
from .noise_std import NoiseEstimate, estimate_noise
from .usable_noise import usable_noise

__all__ = [
    "BlurEstimate",
    "Damage",
    "NoiseEstimate",
    "estimate_blur",
    "estimate_noise",
    "find_damage",
    "least",
    "usable_noise",
]
