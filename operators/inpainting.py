"""Inpainting: some pixels were not measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from .base import LinearOperator
from .degradation import Degradation
from .space import Space


@dataclass(frozen=True)
class Inpainting(Degradation):
    """Pixels of a mask are missing, in all channels alike. Make one with `Inpainting.from_mask`.

    bits: the mask of height x width, 1 = missing, row by row, eight pixels a byte (numpy.packbits).
    """

    height: int
    width: int
    bits: bytes = field(repr=False)

    @classmethod
    def from_mask(cls, mask: np.ndarray | Tensor) -> Inpainting:
        """mask: [H, W] or [1, H, W], as the host's MASK. A soft mask is cut at 0.5: above it, a pixel is missing."""
        mask = np.asarray(mask)
        if mask.ndim == 3 and len(mask) == 1:
            mask = mask[0]
        if mask.ndim != 2:
            raise ValueError(f"The mask has shape {list(mask.shape)}: use one mask [height, width] for all images.")
        height, width = mask.shape
        return cls(height, width, np.packbits(mask > 0.5).tobytes())

    def __post_init__(self) -> None:
        if self.missing().all():
            raise ValueError("The mask hides every pixel: leave some of the image unmasked.")

    def missing(self) -> np.ndarray:
        """The mask [height, width], True where a pixel is missing."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.height * self.width)
        return bits.reshape(self.height, self.width).astype(bool)

    def _build(self, space: Space) -> Mask:
        if (space.height, space.width) != (self.height, self.width):
            raise ValueError(
                f"The mask is {self.width}x{self.height} pixels and the image {space.width}x{space.height}: "
                "resize one to the size of the other."
            )
        return Mask(space, torch.from_numpy(~self.missing())[None, None])

    def describe(self) -> str:
        return f"inpainting, {self.missing().mean():.1%} of {self.width}x{self.height} pixels missing"


class Selection(LinearOperator):
    """A keeps some entries of an orthonormal transform of the image and zeroes the others: A A^T = diag(known).

    known: bool [1, 1 or C, H, W]. Subclasses say what the transform is.
    """

    norm = 1.0
    orthonormal_rows = True

    def __init__(self, space: Space, known: Tensor):
        super().__init__(space, space.shape)
        self.known = known.to(space.device)
        self._weight = self.known.to(space.dtype)  # a product with numbers is many times faster than a selection
        self._measured = int(known.expand(1, *space.shape).sum())

    @property
    def measured(self) -> int:
        return self._measured

    @property
    def isotropy(self) -> float | None:
        """1 where nothing is missing."""
        return 1.0 if self._measured == math.prod(self.image_shape) else None

    def _keep(self, y: Tensor) -> Tensor:
        return y * self._weight

    def _pinv(self, y: Tensor) -> Tensor:
        return self._adjoint(y)

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        missing = torch.where(a > 0, 1 / a, 0.0)  # the pseudo-inverse where a = 0
        return y * torch.where(self.known, 1 / (a + b), missing)


class Mask(Selection):
    """A = diag(known): the measurement is the image with zeros in place of missing pixels."""

    def _forward(self, x: Tensor) -> Tensor:
        return self._keep(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._keep(y)

    def _initial_guess(self, y: Tensor) -> Tensor:
        return pull_push(y, self.known)


def pull_push(y: Tensor, known: Tensor) -> Tensor:
    """Fill the missing pixels of y smoothly from the known ones, which stay (Gortler et al., "The Lumigraph", 1996).

    Each level of a pyramid averages the known pixels of 2 x 2; what a level lacks comes from the next, interpolated.
    y: [B, C, H, W]. known: bool [1, 1 or C, H, W], in no channel all False.
    """
    if known.all():
        return y
    size = y.shape[-2:]
    part = avg_pool2d(known.to(y.dtype), 2, ceil_mode=True)
    mean = avg_pool2d(torch.where(known, y, 0.0), 2, ceil_mode=True) / part.clamp_min(0.25)
    coarse = pull_push(mean, part > 0)
    return torch.where(known, y, interpolate(coarse, size=size, mode="bilinear", align_corners=False))
