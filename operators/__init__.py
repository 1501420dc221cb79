"""Degradations: what happened to an image, as descriptions and as operators A(x), one file each. Pure torch."""

from .base import LinearOperator, Operator
from .degradation import Degradation
from .units import model_units

__all__ = ["Degradation", "LinearOperator", "Operator", "model_units"]
