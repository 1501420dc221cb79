"""Guidance terms, each a replaceable `guidance.Guidance`."""

from .ddnm import DDNM
from .dmps import DMPS
from .dps import DPS
from .guidance import Guidance, Guided
from .mmps import MMPS
from .pigdm import PiGDM
from .proximal import Proximal

__all__ = ["DDNM", "DMPS", "DPS", "MMPS", "Guidance", "Guided", "PiGDM", "Proximal"]
