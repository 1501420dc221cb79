"""Nonlinear blur by a network that learned from videos how photos blur."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..models.bkse import Generator, load_generator
from .base import Operator
from .degradation import Degradation
from .space import Space

STRIDE = 128  # of the code: two halvings of the image, then five of its features


@dataclass(frozen=True)
class BKSE(Degradation):
    """y = clip(G(x, k), 0, 1), G the generator of "Explore Image Deblurring via Encoded Blur Kernel Space" (Tran et
    al., CVPR 2021), whose released weights GOPRO_wVAE.pth are the nonlinear blur of DPS, DAPS and those after them.

    checkpoint: path of the weights; they are read when an operator is built, and those of the kernel extractor, which
    is not needed here, passed over.
    seed: 0 to 2^64 - 1, of the encoded kernel k: normal numbers of std `spread`, 512 of them for every 128 x 128 px,
    by NumPy's legacy generator, whose numbers do not change. For 256 x 256 px and seed 0 it is the kernel of DAPS; DPS
    draws a new one at every call.

    Images are RGB. The last row and column are repeated up to multiples of 128 px.
    """

    checkpoint: str
    seed: int = 0
    spread: float = 1.2

    def __post_init__(self) -> None:
        if self.seed not in range(2**64):
            raise ValueError(f"The seed of the encoded kernel is {self.seed}: use a whole number from 0 to 2^64 - 1.")
        if not (self.spread >= 0 and math.isfinite(self.spread)):
            raise ValueError(f"The spread of the encoded kernel is {self.spread}: use 0 or more; the field's is 1.2.")

    def _build(self, space: Space) -> EncodedBlur:
        if space.channels != 3:
            raise ValueError(f"The image has {space.channels} channels, but the BKSE blur needs 3: give it as RGB.")
        generator = load_generator(self.checkpoint, space.device, space.dtype)
        shape = 1, generator.codes, -(-space.height // STRIDE), -(-space.width // STRIDE)
        high, low = divmod(self.seed, 2**32)  # NumPy's legacy generator takes words of 32 bits, one or several
        code = np.random.RandomState([low, high] if high else low).standard_normal(shape) * self.spread
        return EncodedBlur(space, generator, torch.from_numpy(code).to(space.dtype).to(space.device))

    def describe(self) -> str:
        return f"nonlinear blur by BKSE, {Path(self.checkpoint).name}, seed {self.seed}, spread {self.spread:g}"


class EncodedBlur(Operator):
    """Image by image: convolutions round by the size of the batch."""

    def __init__(self, space: Space, generator: Generator, code: Tensor):
        super().__init__(space, space.shape)
        self.generator, self.code = generator, code

    def _forward(self, x: Tensor) -> Tensor:
        height, width = self.image_shape[1:]
        x = pad(x, (0, -width % STRIDE, 0, -height % STRIDE), "replicate")
        blurred = torch.cat([self.generator(one, self.code) for one in x.split(1)])
        return blurred[..., :height, :width].clamp(0, 1)

    def _initial_guess(self, y: Tensor) -> Tensor:
        """The blurred image."""
        return y
