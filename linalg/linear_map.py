"""The gradient of a linear map is its transpose, however the map is computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def linear_map(value: Tensor, apply: Map, transpose: Map) -> Tensor:
    """apply(value), whose backward pass is transpose(gradient), and the backward pass of that apply again.

    So nothing inside is recorded: `apply` may write to what it made itself, and a solver may iterate for as long as it
    likes without the memory growing.
    """
    if not (value.requires_grad and torch.is_grad_enabled()):
        return apply(value)
    return _LinearMap.apply(value, apply, transpose)


class _LinearMap(torch.autograd.Function):
    generate_vmap_rule = True  # for torch.func, such as jacrev

    @staticmethod
    def forward(value: Tensor, apply: Map, transpose: Map) -> Tensor:
        return _at_full_precision(apply, value)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Map, Map], output: Tensor) -> None:
        _, *ctx.maps = inputs

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        apply, transpose = ctx.maps
        return _at_full_precision(linear_map, gradient, transpose, apply), None, None


def _at_full_precision(apply: Callable[..., Tensor], value: Tensor, *args) -> Tensor:
    with torch.autocast(value.device.type, enabled=False):  # the backward pass may be called under any
        return apply(value, *args)
