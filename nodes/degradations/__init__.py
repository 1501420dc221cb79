"""The nodes that say how an image was damaged, one module for each group of README's table."""

from __future__ import annotations

from types import ModuleType

from comfy_api.latest import io

from . import blur, changed_values, fewer_numbers, missing_pixels, published, several


def nodes_of(module: ModuleType) -> list[type[io.ComfyNode]]:
    """Those written in a module, from top to bottom."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, io.ComfyNode)]
    return [node for node in classes if node.__module__ == module.__name__]


GROUPS = (blur, missing_pixels, fewer_numbers, changed_values, several, published)
DEGRADATION_NODES = [node for group in GROUPS for node in nodes_of(group)]
