"""Noise that is the same for every frame of a clip, inside the host's sampling, so that the clip does not flicker.

A batch holds the frames one after the other, each `copies` times in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from comfy.k_diffusion import sampling
from torch import Tensor


def noise_of_first(noise: Tensor, copies: int) -> Tensor:
    """The noise of the first frame for all: [count * copies, ...], the same shape."""
    return torch.cat([noise[:copies]] * (len(noise) // copies))


@contextmanager
def drawn_for_first(copies: int) -> Iterator[None]:
    """The host's samplers draw on their way for the first frame what they would for it alone, and the rest get the
    same. Not those of another pack that bring their own source of noise."""
    sources = {  # each of the host's samplers makes one of these for the whole batch
        "default_noise_sampler": sampling.default_noise_sampler,
        "BrownianTreeNoiseSampler": sampling.BrownianTreeNoiseSampler,
    }
    vars(sampling).update({name: _for_first(source, copies) for name, source in sources.items()})
    try:
        yield
    finally:
        vars(sampling).update(sources)


def _for_first(source: Callable, copies: int) -> Callable:
    """The same source for a batch, of which it sees the first frame alone."""

    def made(x: Tensor, *args, **kwargs) -> Callable[..., Tensor]:
        draw = source(x[:copies], *args, **kwargs)
        return lambda *levels: torch.cat([draw(*levels)] * (len(x) // copies))

    return made
