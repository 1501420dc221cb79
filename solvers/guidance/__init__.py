"""Guidance terms, each a replaceable `guidance.Guidance`."""

from .dcdp import DCDP
from .ddnm import DDNM
from .dmps import DMPS
from .dps import DPS
from .guidance import Guidance, Guided, GuidedDenoiser
from .latent_dps import LatentDPS
from .ldir import LDIR
from .mmps import MMPS
from .pigdm import PiGDM
from .proximal import Proximal
from .psld import PSLD

__all__ = [
    "DCDP",
    "DDNM",
    "DMPS",
    "DPS",
    "LDIR",
    "MMPS",
    "PSLD",
    "Guidance",
    "Guided",
    "GuidedDenoiser",
    "LatentDPS",
    "PiGDM",
    "Proximal",
]
