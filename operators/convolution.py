"""Convolution with any kernel, by FFT: A = cut · circular convolution · continuation beyond the border.

A point of light becomes the kernel: y[i] = sum_o k[o] x[i - o], with o = 0 at the kernel's entry size // 2. Cross-
correlation, which deep learning calls convolution, is the same with the kernel turned by 180 degrees.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from ..linalg.fft import by_plane
from ..linalg.linear_map import Map
from ..linalg.svd import RCOND, reciprocal
from .base import LinearOperator
from .degradation import Degradation
from .frame import Frame
from .space import Space


class Blur(Degradation):
    """A description that convolves with its `kernel()` and continues the image by its `boundary`."""

    boundary: str

    @abstractmethod
    def kernel(self) -> Tensor:
        """[h, w], float64, rows from top to bottom. Sums to one."""

    def _build(self, space: Space) -> LinearOperator:
        return convolution(space, self.kernel(), self.boundary)


class Convolution(LinearOperator):
    """A and A^T are exact for every boundary and cost two FFTs; the inverses take iterations.

    kernel: float64 [k, l] on the CPU, of any size.
    """

    def __init__(self, space: Space, kernel: Tensor, boundary: str):
        super().__init__(space, space.shape)
        if boundary == "zero":  # what is too far from the centre to matter would only add its rounding errors
            kernel = kernel[_within(len(kernel), space.height)][:, _within(kernel.shape[1], space.width)]
        self.frame = Frame(space, (len(kernel), kernel.shape[1]), boundary)
        self.response = self.frame.response(kernel)
        self._conjugate = self.response.conj().resolve_conj()  # else every product would conjugate anew

    def _forward(self, x: Tensor) -> Tensor:
        return by_plane(lambda v: self.frame.cut(self.frame.spectrum(v).mul_(self.response)), x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return by_plane(lambda v: self.frame.transposed_spectrum(self.frame.transposed_cut(v).mul_(self._conjugate)), y)

    def _preconditioner(self, a: Tensor, b: Tensor) -> Map:
        """The inverse of the convolution alone, as if there were no border, amid zeros.

        Hanke and Nagy, "Inverse Toeplitz preconditioners for ill-posed problems", Linear Algebra and its Applications
        1998: what the kernel all but stops is left as it is, for there the border decides.
        """
        return borderless_inverse(self.frame, self.power, a, b)

    @cached_property
    def power(self) -> Tensor:
        """Squared response, real [P, Q // 2 + 1]."""
        with torch.inference_mode(False):
            return self.response.abs().square()

    def _initial_guess(self, y: Tensor) -> Tensor:
        return y  # the pseudo-inverse would blow up the noise


class CircularConvolution(Convolution):
    """The Fourier transform diagonalises A, so that every inverse is a division."""

    def _pinv(self, y: Tensor) -> Tensor:
        inverse = torch.where(self.power > RCOND**2 * self.power.max(), 1 / self.response, 0.0)
        return by_plane(lambda v: self.frame.cut(self.frame.spectrum(v) * inverse), y)

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return self.frame.cut(self.frame.spectrum(y) * reciprocal(a + b * self.power, RCOND**2))

    def _preconditioner(self, a: Tensor, b: Tensor) -> Map:
        """The closed form."""
        return lambda v: self._solve(v, a, b)

    @cached_property
    def norm(self) -> float:
        return float(self.power.max().sqrt())


def convolution(space: Space, kernel: Tensor, boundary: str) -> Convolution:
    kind = CircularConvolution if boundary == "circular" else Convolution
    return kind(space, kernel, boundary)


def _within(size: int, image: int) -> slice:
    """Taps of a kernel of this size that reach from one pixel to another of an image."""
    center = size // 2
    return slice(max(0, center - image + 1), center + image)


FLOOR = 1e-2


def borderless_inverse(frame: Frame, power: Tensor, a: Tensor, b: Tensor) -> Map:
    """Symmetric positive definite, near (a I + b A A^T)^-1 for an A of this power [P, Q // 2 + 1] inside the image.

    Frequencies with less than FLOOR of the largest power count as having that much.
    """
    weights = 1 / (torch.maximum(a, FLOOR * b * power.max()) + b * power)

    def apply(v: Tensor) -> Tensor:
        return by_plane(lambda u, w: frame.cut(frame.transposed_cut(u).mul_(w)), v, weights)

    return apply
