"""What the tools that train what the pack ships have in common: photographs, optimizers, and the run itself."""

from .photos import Photos
from .run import Recipe, Training, add_arguments

__all__ = ["Photos", "Recipe", "Training", "add_arguments"]
