"""Deblurring with a kernel that somebody measured or drew."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from .boundary import check_boundary
from .convolution import Blur


@dataclass(frozen=True)
class KernelBlur(Blur):
    """Convolution with a given kernel of height x width px. Make one with `KernelBlur.from_array`.

    weights: the kernel, row by row, as little-endian float64. Its centre is the entry [height // 2, width // 2].
    """

    height: int
    width: int
    weights: bytes = field(repr=False)
    boundary: str = "reflect"

    @classmethod
    def from_array(cls, kernel: np.ndarray | Tensor, boundary: str = "reflect") -> KernelBlur:
        """kernel: [h, w], the picture that a point of light becomes; rescaled to sum to one."""
        kernel = np.asarray(kernel, np.float64)
        if kernel.ndim != 2 or kernel.size == 0:
            raise ValueError(f"The kernel has shape {list(kernel.shape)}: use one kernel [height, width].")
        total = kernel.sum()
        if not (total > 0 and np.isfinite(total)):
            raise ValueError(f"The kernel's entries sum to {total:g}: use a kernel that lets light through.")
        height, width = kernel.shape
        return cls(height, width, (kernel / total).astype("<f8").tobytes(), boundary)

    def __post_init__(self) -> None:
        check_boundary(self.boundary)

    def kernel(self) -> Tensor:
        weights = np.frombuffer(self.weights, "<f8").astype(np.float64)
        return torch.from_numpy(weights.reshape(self.height, self.width))

    def describe(self) -> str:
        return f"blur with a given kernel of {self.width}x{self.height} px, {self.boundary} boundary"
