"""Stage 1: the most probable image given the measurement. Every method has one interface, `estimate.Method`."""

from .accelerated import Accelerated
from .annealed import Annealed
from .estimate import Estimate, Method
from .paper import Paper
from .presets import PIXEL, PRINCIPLED

__all__ = ["PIXEL", "PRINCIPLED", "Accelerated", "Annealed", "Estimate", "Method", "Paper"]
