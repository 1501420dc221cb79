"""The pixel-space network, its loader, and the embedded prior."""

from .adm import ADM, ADMConfig
from .checkpoint import load_pixel_network
from .embedded import load_embedded
from .pixel_network import PixelNetwork
from .preconditioning import DDPM, EDM

__all__ = ["ADM", "ADMConfig", "DDPM", "EDM", "PixelNetwork", "load_embedded", "load_pixel_network"]
