"""Degradations: what happened to an image, as descriptions and as operators A(x). Pure torch."""

from .base import LinearOperator, Operator
from .blur import GaussianBlur
from .compose import Compose
from .conjugate_gradients import conjugate_gradients
from .degradation import Degradation
from .denoising import Denoising
from .inpainting import Inpainting
from .resampling import SuperResolution
from .units import model_units

__all__ = [
    "Compose",
    "Degradation",
    "Denoising",
    "GaussianBlur",
    "Inpainting",
    "LinearOperator",
    "Operator",
    "SuperResolution",
    "conjugate_gradients",
    "model_units",
]
