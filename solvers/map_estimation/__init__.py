"""Stage 1: the most probable image given the measurement. Every method has one interface, `estimate.Method`."""

from .accelerated import Accelerated
from .annealed import Annealed
from .encoded import Encoded
from .estimate import Estimate, Method
from .paper import Paper
from .presets import FFHQ_LDM, PIXEL, PRINCIPLED, SD15

__all__ = [
    "FFHQ_LDM",
    "PIXEL",
    "PRINCIPLED",
    "SD15",
    "Accelerated",
    "Annealed",
    "Encoded",
    "Estimate",
    "Method",
    "Paper",
]
