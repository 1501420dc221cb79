"""Gradient checkpointing: a graph keeps the inputs of a network's blocks, and runs each block again when it is needed.

Peak memory falls from all activations to those of one block, for about a third more work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpointed(network: nn.Module) -> Iterator[None]:
    """Within, every block of the network that autograd passes through is checkpointed."""
    blocks = list(_blocks(network))
    before = [block.__dict__.get("forward") for block in blocks]
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
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
