"""How much memory the host can give, and what is done where that was not enough."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import comfy.model_management
import torch

Result = TypeVar("Result")


def obtainable_memory(device: torch.device) -> int:
    """Bytes free on the device, once the host has taken its models off it as far as it can."""
    free = comfy.model_management.get_free_memory(device)
    if device.type == "cpu":  # where the host keeps the weights of all models
        return free
    loaded = [patcher for patcher in comfy.model_management.loaded_models() if patcher is not None]  # it may be gone
    return free + sum(patcher.loaded_size() for patcher in loaded if patcher.load_device == device)


def sparing(attempt: Callable[[bool], Result], gradients: bool = False) -> Result:
    """attempt(False), or where memory does not suffice attempt(True), which takes less of it, once.

    Whatever the first attempt took is given back before. gradients: it takes some through the model. Raises MemoryError
    where the second needs too much as well.
    """
    for frugal in (False, True):
        try:
            return attempt(frugal)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()  # here the error is gone, and with it the frames that held tensors
        comfy.model_management.soft_empty_cache()
    less = ", or choose the guidance 'proximal', which takes no gradients through the model" if gradients else ""
    raise MemoryError(
        "There is not enough memory for this picture, even in the smallest pieces: take a smaller picture or fewer at "
        f"a time, or lower 'tile' or 'samples' where the node has them{less}."
    )


def is_out_of_memory(error: Exception) -> bool:
    """On a GPU, or of the process: there torch raises a RuntimeError that only its text tells from others."""
    if isinstance(error, (comfy.model_management.OOM_EXCEPTION, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in str(error) or "out of memory" in str(error).lower()
    )
