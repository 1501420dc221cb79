"""Gradients through a model that the host loaded.

The host runs nodes under torch.inference_mode(), so the weights it loads are inference tensors, which autograd refuses.
Replacing each by a clone, one at a time, makes them ordinary without a second copy of the model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@contextmanager
def differentiable(module: nn.Module) -> Iterator[None]:
    """Leaves inference mode, with module's weights fit for a backward pass to its inputs.

    Raises ValueError for quantized weights, which have no gradient.
    """
    for name, parameter in module.named_parameters():
        if parameter.dtype not in _FLOATS:
            raise ValueError(
                f"This model's weights are quantized ({name} is {parameter.dtype}), so it has no gradients: choose the "
                "guidance 'proximal', which needs none, or load the model with fp16 weights."
            )
    with torch.inference_mode(False):
        for child in module.modules():
            for name, parameter in child._parameters.items():
                if parameter is not None and (parameter.is_inference() or parameter.requires_grad):
                    child._parameters[name] = nn.Parameter(parameter.detach().clone(), requires_grad=False)
            for name, buffer in child._buffers.items():
                if buffer is not None and buffer.is_inference():
                    child._buffers[name] = buffer.clone()
        yield


def ordinary_conditioning(conds: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The guider's processed conditioning with inference tensors cloned. Call outside inference mode."""
    return {key: [_cloned(entry) for entry in entries] for key, entries in conds.items()}


def _cloned(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, dict):
        return {key: _cloned(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_cloned(entry) for entry in value]
    if isinstance(getattr(value, "cond", None), torch.Tensor):  # the host's comfy.conds objects
        value = copy.copy(value)
        value.cond = _cloned(value.cond)
    return value
