"""Degradations: what happened to an image, as descriptions and as operators A(x). Pure torch."""

from .anisotropic_blur import AnisotropicGaussianBlur
from .base import LinearOperator, Operator
from .bkse import BKSE
from .blur import GaussianBlur
from .box_inpainting import BoxInpainting
from .colorization import Colorization
from .compose import Compose
from .compressed_sensing import CompressedSensing
from .conjugate_gradients import conjugate_gradients
from .degradation import Degradation
from .denoising import Denoising
from .hdr import HDR
from .inner_product import inner_product
from .inpainting import Inpainting
from .jpeg import JPEG
from .kernel_blur import KernelBlur
from .motion_blur import MotionBlur
from .noise import poisson, poisson_std
from .nonlinear_blur import NonlinearBlur
from .phase_retrieval import PhaseRetrieval
from .quantization import Quantization
from .random_inpainting import RandomInpainting
from .resampling import SuperResolution
from .space_varying_blur import SpaceVaryingBlur
from .stack import Stack
from .units import model_units

__all__ = [
    "AnisotropicGaussianBlur",
    "BKSE",
    "BoxInpainting",
    "Colorization",
    "Compose",
    "CompressedSensing",
    "Degradation",
    "Denoising",
    "GaussianBlur",
    "HDR",
    "Inpainting",
    "JPEG",
    "KernelBlur",
    "LinearOperator",
    "MotionBlur",
    "NonlinearBlur",
    "Operator",
    "PhaseRetrieval",
    "Quantization",
    "RandomInpainting",
    "SpaceVaryingBlur",
    "Stack",
    "SuperResolution",
    "conjugate_gradients",
    "inner_product",
    "model_units",
    "poisson",
    "poisson_std",
]
