"""Randomness: one CPU stream per image, so that a result does not depend on its batch, place or device."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

_beside = ThreadPoolExecutor(1, "noise")  # torch draws without holding Python's lock


class Noise:
    """Standard normal draws for a batch; image i draws from its own generator.

    seed: 0 .. 2^64 - 1. samples: the sample number of each image. Images with the same seed and the same number draw
    the same noise, which is what makes an image's result independent of its batch. stage: keeps the streams of
    different stages apart.
    """

    def __init__(self, seed: int, samples: Sequence[int], stage: int):
        self.generators = []
        self._ahead: Future[Tensor] | None = None
        for sample in samples:
            state = np.random.SeedSequence((seed, stage, sample)).generate_state(1, np.uint64)
            self.generators.append(torch.Generator().manual_seed(int(state[0])))

    def like(self, x: Tensor) -> Tensor:
        """Draw for x [B, ...]: float32, on x's device."""
        draws = self._ahead.result() if self._ahead else self._draw(x.shape, x.device)
        self._ahead = None
        return draws.to(x.device, non_blocking=x.device.type == "cuda")

    def draw_ahead(self, x: Tensor) -> None:
        """Begin with what the coming `like(x)` is to return: it is drawn beside whatever is computed until then."""
        self._ahead = _beside.submit(self._draw, x.shape, x.device)

    def _draw(self, shape: torch.Size, device: torch.device) -> Tensor:
        pinned = device.type == "cuda"  # from there a copy does not wait for the GPU
        draws = torch.empty(len(self.generators), *shape[1:], pin_memory=pinned)
        for draw, generator in zip(draws, self.generators, strict=True):
            torch.randn(shape[1:], generator=generator, out=draw)
        return draws
