"""Gradients through a network block by block, also where a block overwrites what its own backward pass needs.

A block that is run again keeps its inputs instead of its activations: peak memory falls from those of all blocks to
those of one, for about a third more work. And the second run may write in place, as the transformers of Flux and its
descendants do, since the backward pass follows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import allow_mutation_on_saved_tensors, saved_tensors_hooks
from torch.overrides import TorchFunctionMode


@contextmanager
def differentiable_blocks(*networks: nn.Module, short_of_memory: bool = False) -> Iterator[None]:
    """Within, autograd passes through every block of the networks on its own, and each may write in place.

    Blocks that wrote over what they had saved are run again in the backward pass; with short_of_memory, all are.
    """
    blocks = list(dict.fromkeys(block for network in networks for block in _blocks(network)))  # prompts share networks
    before = [block.__dict__.get("forward") for block in blocks]
    for block in blocks:
        block.forward = partial(_run, block.forward, short_of_memory)
    try:
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            del block.forward
            if forward is not None:
                block.forward = forward


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The largest composite modules that are entries of lists: residual blocks, transformers."""
    listed = isinstance(module, (nn.ModuleList, nn.Sequential))
    for child in module.children():
        if listed and _is_block(child):
            yield child
        else:
            yield from _blocks(child)


def _is_block(module: nn.Module) -> bool:
    """Something that is called, with parts; not a list, nor a mere holder of other modules."""
    listed = isinstance(module, (nn.ModuleList, nn.Sequential)) or type(module).forward is nn.Module.forward
    return not listed and any(module.children())


def _run(forward: Callable, run_again: bool, *args, **kwargs) -> Any:
    given = list(_tensors((args, tuple(kwargs.values()))))
    if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in given):
        return forward(*args, **kwargs)

    def block(tensors: Iterable[Tensor]) -> Any:
        args_again, values = _with_tensors((args, tuple(kwargs.values())), iter(tensors))
        return forward(*args_again, **dict(zip(kwargs, values, strict=True)))

    (result,), *tensors = _Block.apply(block, run_again, *given)
    return _with_tensors(result, iter(tensors))


class _Block(torch.autograd.Function):
    """block(tensors) on copies, for it may write to what it is given."""

    @staticmethod
    def forward(ctx, block: Callable, run_again: bool, *tensors: Tensor) -> tuple:
        ctx.block = block
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        graph = None if run_again else _Graph.kept(block, tensors)
        result = block([tensor.clone() for tensor in tensors]) if graph is None else graph.result
        ctx.graph = None if graph is None or graph.is_overwritten() else graph
        return (result,), *(tensor.detach() for tensor in _tensors(result))

    @staticmethod
    @once_differentiable
    def backward(ctx, _, *gradients: Tensor | None) -> tuple:
        if ctx.graph is not None and not ctx.graph.is_overwritten():
            return None, None, *ctx.graph.backward(gradients)
        with allow_mutation_on_saved_tensors(), _OutIsCopied():
            return None, None, *_Graph.of(ctx.block, ctx.saved_tensors).backward(gradients)


@dataclass
class _Graph:
    """A block's own part of the graph, from leaves that stand in for its inputs to its result.

    saved: what its backward pass needs, each tensor with the number of times that it had been written to.
    """

    leaves: list[Tensor]
    result: Any
    saved: list[tuple[Tensor, int]] = field(default_factory=list)

    @classmethod
    def of(cls, block: Callable, tensors: Iterable[Tensor]) -> _Graph:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in tensors]
            return cls(leaves, block([leaf.clone() for leaf in leaves]))

    @classmethod
    def kept(cls, block: Callable, tensors: Iterable[Tensor]) -> _Graph | None:
        """For the backward pass to come; None of a block that autograd refuses because it has results written to
        a tensor."""
        saved: list[tuple[Tensor, int]] = []

        def save(tensor: Tensor) -> Tensor:
            tensor = tensor.detach()  # the same memory, which a graph that holds its own results would never free
            saved.append((tensor, tensor._version))
            return tensor

        try:
            with saved_tensors_hooks(save, _as_is):
                graph = cls.of(block, tensors)
        except RuntimeError as error:
            if "out=" not in str(error):
                raise
            return None
        graph.saved = saved
        return graph

    def is_overwritten(self) -> bool:
        return any(tensor._version != version for tensor, version in self.saved)

    def backward(self, gradients: Iterable[Tensor | None]) -> list[Tensor | None]:
        """With respect to the block's inputs, from those with respect to its results."""
        pairs = zip(_tensors(self.result), gradients, strict=True)
        reached = [(result, g) for result, g in pairs if result.requires_grad and g is not None]
        if not reached:
            return [None] * len(self.leaves)
        results, weights = zip(*reached, strict=True)
        inputs = [leaf for leaf in self.leaves if leaf.requires_grad]
        found = iter(torch.autograd.grad(results, inputs, weights, retain_graph=True, allow_unused=True))
        return [next(found) if leaf.requires_grad else None for leaf in self.leaves]


class _OutIsCopied(TorchFunctionMode):
    """f(x, out=y) as y.copy_(f(x)), which has a backward pass."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        out = kwargs.pop("out", None)
        result = function(*args, **kwargs)
        return result if out is None else out.copy_(result)


def _as_is(tensor: Tensor) -> Tensor:
    return tensor


def _tensors(value: Any) -> Iterator[Tensor]:
    """Those in value, a tensor or nested tuples. Lists and dicts are not looked into: blocks write to them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _tensors(entry)


def _with_tensors(value: Any, tensors: Iterator[Tensor]) -> Any:
    """The same with others in their place."""
    if isinstance(value, Tensor):
        return next(tensors)
    return tuple(_with_tensors(entry, tensors) for entry in value) if isinstance(value, tuple) else value
