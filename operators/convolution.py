"""Convolution with any kernel, by FFT: A = cut · circular convolution · continuation beyond the border.

A point of light becomes the kernel: y[i] = sum_o k[o] x[i - o], with o = 0 at the kernel's entry size // 2. Cross-
correlation, which deep learning calls convolution, is the same with the kernel turned by 180 degrees.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from .base import LinearOperator
from .degradation import Degradation
from .separable import RCOND, Banded, reciprocal, sampling_matrix


class Blur(Degradation):
    """A description that convolves with its `kernel()` and continues the image by its `boundary`."""

    boundary: str

    @abstractmethod
    def kernel(self) -> Tensor:
        """[h, w], float64, rows from top to bottom. Sums to one."""

    def _build(
        self, channels: int, height: int, width: int, device: torch.device | str, dtype: torch.dtype
    ) -> LinearOperator:
        return convolution(self.kernel(), self.boundary, channels, height, width, device, dtype)


class Frame:
    """Where images of H x W are convolved: continued beyond their border, on a size that FFTs are fast on.

    rows, columns: reach of the kernel, the most it moves anything along height and width.
    """

    def __init__(
        self,
        height: int,
        width: int,
        rows: int,
        columns: int,
        boundary: str,
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        self.image = height, width
        self.device, self.dtype = device, dtype
        self.margin = (rows, columns) if boundary in ("reflect", "replicate") else (0, 0)
        self.size = height, width
        if boundary != "circular":  # what leaves at one side must not come in at the other
            self.size = fast_size(height + rows + self.margin[0]), fast_size(width + columns + self.margin[1])
        self._continue = self._fold = None
        if boundary in ("reflect", "replicate"):
            matrices = []
            for n, reach in zip(self.image, self.margin, strict=True):
                positions = torch.arange(-reach, n + reach)[:, None]
                matrices.append(sampling_matrix(positions, torch.ones_like(positions).double(), n, boundary))
            self._continue = [Banded(matrix, device, dtype) for matrix in matrices]
            self._fold = [Banded(matrix.T, device, dtype) for matrix in matrices]

    def response(self, kernel: Tensor) -> Tensor:
        """What the convolution does to each frequency: complex [P, Q // 2 + 1]. kernel: float64 on the CPU."""
        place = [
            (torch.arange(n) - n // 2 - margin) % size
            for n, margin, size in zip(kernel.shape, self.margin, self.size, strict=True)
        ]
        spread = kernel.new_zeros(self.size)
        spread.index_put_((place[0][:, None], place[1][None]), kernel, accumulate=True)
        return torch.fft.rfft2(spread).to(self.dtype.to_complex()).to(self.device)

    def spectrum(self, x: Tensor) -> Tensor:
        if self._continue:
            vertical, horizontal = self._continue
            x = horizontal.along_width(vertical.along_height(x))
        return torch.fft.rfft2(x, s=self.size)

    def cut(self, spectrum: Tensor) -> Tensor:
        return self._inverse(spectrum, *self.image)

    # The transposes of the two.

    def transposed_cut(self, y: Tensor) -> Tensor:
        """Spectrum of y amid zeros."""
        return torch.fft.rfft2(y, s=self.size)

    def transposed_spectrum(self, spectrum: Tensor) -> Tensor:
        x = self._inverse(spectrum, *(n + 2 * margin for n, margin in zip(self.image, self.margin, strict=True)))
        if self._fold:
            vertical, horizontal = self._fold
            x = vertical.along_height(horizontal.along_width(x))
        return x

    def _inverse(self, spectrum: Tensor, height: int, width: int) -> Tensor:
        return torch.fft.irfft2(spectrum, s=self.size)[..., :height, :width]


class Convolution(LinearOperator):
    """A and A^T are exact for every boundary and cost two FFTs; the inverses take conjugate gradients.

    kernel: float64 [k, l] on the CPU, of any size.
    """

    def __init__(
        self,
        kernel: Tensor,
        boundary: str,
        channels: int,
        height: int,
        width: int,
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        super().__init__((channels, height, width), (channels, height, width), device, dtype)
        if boundary == "zero":  # what is too far from the centre to matter would only add its rounding errors
            kernel = kernel[_within(len(kernel), height)][:, _within(kernel.shape[1], width)]
        self.frame = Frame(height, width, *(n // 2 for n in kernel.shape), boundary, device, dtype)
        self.response = self.frame.response(kernel)
        self._conjugate = self.response.conj().resolve_conj()  # else every product would conjugate anew

    def _forward(self, x: Tensor) -> Tensor:
        return self.frame.cut(product(self.frame.spectrum(x), self.response))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.frame.transposed_spectrum(product(self.frame.transposed_cut(y), self._conjugate))

    def _initial_guess(self, y: Tensor) -> Tensor:
        return y  # the pseudo-inverse would blow up the noise


class CircularConvolution(Convolution):
    """The Fourier transform diagonalises A, so that every inverse is a division."""

    def _pinv(self, y: Tensor) -> Tensor:
        inverse = torch.where(self.power > RCOND**2 * self.power.max(), 1 / self.response, 0.0)
        return self.frame.cut(product(self.frame.spectrum(y), inverse))

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return self.frame.cut(self.frame.spectrum(y) * reciprocal(a + b * self.power, RCOND**2))

    @cached_property
    def norm(self) -> float:
        return float(self.power.max().sqrt())

    @cached_property
    def power(self) -> Tensor:
        """Squared response, real [H, W // 2 + 1]."""
        with torch.inference_mode(False):
            return self.response.abs().square()


def convolution(
    kernel: Tensor,
    boundary: str,
    channels: int,
    height: int,
    width: int,
    device: torch.device | str,
    dtype: torch.dtype,
) -> Convolution:
    kind = CircularConvolution if boundary == "circular" else Convolution
    return kind(kernel, boundary, channels, height, width, device, dtype)


def _within(size: int, image: int) -> slice:
    """Taps of a kernel of this size that reach from one pixel to another of an image."""
    center = size // 2
    return slice(max(0, center - image + 1), center + image)


def product(spectrum: Tensor, response: Tensor) -> Tensor:
    """spectrum * response, image by image.

    Complex numbers round differently at the ends of a thread's share than inside it, and over a whole batch the shares
    would depend on how many images there are.
    """
    return torch.cat([one * response for one in spectrum.split(1)])


def fast_size(n: int) -> int:
    """The smallest size, n or above, without prime factors above 7."""
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1
