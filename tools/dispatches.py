"""Counts what a GPU is asked to do: operations launched on it, and places where the program waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

FETCHES = {
    *(Tensor.item, Tensor.tolist, Tensor.cpu, Tensor.nonzero, torch.nonzero),
    *(Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.__index__),
}
UPLOADS = {torch.tensor, torch.as_tensor}
LAUNCH_NOTHING = {"aten::empty.memory_format", "aten::_local_scalar_dense", "aten::detach"}


class Dispatches:
    """A context in which `launches` and `waits` grow.

    launches: operations of torch that compute; a view is none. On a GPU most are one kernel, some a few.
    waits: values that the program reads (`float(x)`, `if x.any()`), masks it indexes with, numbers it makes tensors of.

    Both are counted by what is called, not by what it takes, so that the CPU, where nothing waits, tells what a GPU
    will do. What stays on the CPU on any machine, such as noise that is drawn, is counted there too.
    """

    def __init__(self):
        self.launches = self.waits = 0
        self.counting = True
        self._modes = ExitStack()

    def __enter__(self) -> Dispatches:
        self._modes.enter_context(_Functions(self))
        self._modes.enter_context(_Operations(self))
        return self

    def __exit__(self, *_) -> None:
        self._modes.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.counting = False
        yield
        self.counting = True


class _Functions(TorchFunctionMode):
    """What Python calls."""

    def __init__(self, counts: Dispatches):
        super().__init__()
        self.counts = counts

    def __torch_function__(self, func, types, args=(), kwargs=None):
        uploads = func in UPLOADS and not isinstance(args[0], Tensor)
        masked = func in (Tensor.__getitem__, Tensor.__setitem__) and _has_mask(args[1])
        self.counts.waits += self.counts.counting and (func in FETCHES or uploads or masked)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """What reaches a device."""

    def __init__(self, counts: Dispatches):
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts.launches += self.counts.counting and not (func.is_view or func.name() in LAUNCH_NOTHING)
        return func(*args, **(kwargs or {}))


def _has_mask(index: object) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, Tensor) and part.dtype == torch.bool for part in parts)
