"""Randomness: one CPU stream per image, so that a result does not depend on its batch, place or device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Noise:
    """Standard normal draws for a batch; image i draws from its own generator.

    seed: 0 .. 2^64 - 1. samples: the sample number of each image. Images with the same seed and the same number draw
    the same noise, which is what makes an image's result independent of its batch. stage: keeps the streams of
    different stages apart.
    """

    def __init__(self, seed: int, samples: Sequence[int], stage: int):
        self.generators = []
        for sample in samples:
            state = np.random.SeedSequence((seed, stage, sample)).generate_state(1, np.uint64)
            self.generators.append(torch.Generator().manual_seed(int(state[0])))

    def like(self, x: Tensor) -> Tensor:
        """Draw for x [B, ...]: float32, on x's device."""
        draws = [torch.randn(x.shape[1:], generator=generator) for generator in self.generators]
        return torch.stack(draws).to(x.device)
