"""Group normalization by the statistics of the whole picture, where a network sees one tile of it.

A tile that is normalized by its own statistics has another color and contrast than its neighbour. Here the whole's are
taken from a sample: patches from all over the picture, side by side in one tile, so that every layer's statistics come
from what the earlier layers make of the whole. What is left: patches have borders, and attention sees its own tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PATCHES = 4  # along each axis of the sample


class Statistics:
    """Of every GroupNorm of a network: mean and variance of each group, [B, groups, 1]."""

    def __init__(self, network: nn.Module):
        self.norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
        self.of: dict[nn.GroupNorm, tuple[Tensor, Tensor] | None] = {}

    def read(self, network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        """From what passes while network(x) runs. Differentiable, and then run again in the backward pass."""
        if not self.norms:
            return
        if torch.is_grad_enabled() and x.requires_grad:
            values = checkpoint(self._passing, network, x, use_reentrant=False, preserve_rng_state=False)
        else:
            values = self._passing(network, x)
        self.of = dict(zip(self.norms, values, strict=True))

    def _passing(self, network: Callable[[Tensor], Tensor], x: Tensor) -> list[tuple[Tensor, Tensor] | None]:
        """By norm; None of one that network(x) does not run, as the encoder's where it decodes."""
        found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

        def record(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
            assert isinstance(norm, nn.GroupNorm)
            groups = _groups(norm, given[0])
            found[norm] = groups.mean(-1, keepdim=True), groups.var(-1, unbiased=False, keepdim=True)

        hooks = [norm.register_forward_pre_hook(record) for norm in self.norms]
        try:
            network(x)
        finally:
            for hook in hooks:
                hook.remove()
        return [found.get(norm) for norm in self.norms]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the network normalizes by them."""
        hooks = [norm.register_forward_hook(self._normalized) for norm, values in self.of.items() if values]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _normalized(self, norm: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
        assert isinstance(norm, nn.GroupNorm)
        values = self.of[norm]
        assert values is not None
        mean, variance = values
        x = given[0]
        unit = ((_groups(norm, x) - mean) * (variance + norm.eps).rsqrt()).view_as(x)
        weight, bias = (p.to(unit).view(-1, *[1] * (x.ndim - 2)) for p in (norm.weight, norm.bias))
        return (unit * weight + bias).to(x)


def sample(x: Tensor, size: int) -> Tensor:
    """A picture of at most so many pixels a side, of patches from all over x [B, C, H, W]."""
    for axis in (-2, -1):
        length = x.shape[axis]
        if length > size:
            patch = size // PATCHES
            starts = torch.linspace(0, length - patch, PATCHES).round().long().tolist()
            x = torch.cat([x.narrow(axis, start, patch) for start in starts], axis)
    return x


def _groups(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """[B, groups, everything else], in single precision at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32)).reshape(len(x), norm.num_groups, -1)
