"""Convolution with any kernel, by FFT: A = cut · circular convolution · continuation beyond the border.

A point of light becomes the kernel: y[i] = sum_o k[o] x[i - o], with o = 0 at the kernel's entry size // 2. Cross-
correlation, which deep learning calls convolution, is the same with the kernel turned by 180 degrees.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from ..linalg.linear_map import Map
from .base import LinearOperator
from .boundary import sampling_matrix
from .degradation import Degradation
from .separable import RCOND, reciprocal
from .space import Space


class Blur(Degradation):
    """A description that convolves with its `kernel()` and continues the image by its `boundary`."""

    boundary: str

    @abstractmethod
    def kernel(self) -> Tensor:
        """[h, w], float64, rows from top to bottom. Sums to one."""

    def _build(self, space: Space) -> LinearOperator:
        return convolution(space, self.kernel(), self.boundary)


class Frame:
    """Where images are convolved: continued beyond their border, on a size that FFTs are fast on.

    kernel_size: height and width of the kernels, whose half is the most they move anything.
    """

    def __init__(self, space: Space, kernel_size: tuple[int, int], boundary: str):
        height, width = self.image = space.height, space.width
        rows, columns = (n // 2 for n in kernel_size)
        self.device, self.dtype = space.device, space.dtype
        self.margin = (rows, columns) if boundary in ("reflect", "replicate") else (0, 0)
        self.size = height, width
        if boundary != "circular":  # what leaves at one side must not come in at the other
            self.size = fast_size(height + rows + self.margin[0]), fast_size(width + columns + self.margin[1])
        sides = (_sides(*axis, boundary) for axis in zip(self.image, self.margin, strict=True))
        self._sides = [[Side(space, *side) for side in pair] for pair in sides]

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
        if self.margin == (0, 0):
            return torch.fft.rfft2(x, s=self.size)
        frame = x.new_zeros(*x.shape[:-2], *self.size)
        (up, left), (height, width) = self.margin, self.image
        frame[..., up : up + height, left : left + width] = x
        for dim in (-1, -2):
            for side in self._sides[dim]:
                side.fill(frame, dim)
        return torch.fft.rfft2(frame)

    def cut(self, spectrum: Tensor) -> Tensor:
        height, width = self.image
        return torch.fft.irfft2(spectrum, s=self.size)[..., :height, :width]

    # The transposes of the two.

    def transposed_cut(self, y: Tensor) -> Tensor:
        """Spectrum of y amid zeros."""
        return torch.fft.rfft2(y, s=self.size)

    def transposed_spectrum(self, spectrum: Tensor) -> Tensor:
        frame = torch.fft.irfft2(spectrum, s=self.size)
        for dim in (-2, -1):
            for side in self._sides[dim]:
                side.fold(frame, dim)
        (up, left), (height, width) = self.margin, self.image
        return frame[..., up : up + height, left : left + width]


class Side:
    """What lies beyond one border of a frame, along one dimension.

    places: where in the frame. sources: of which of its pixels, of the image, each is a copy; integers.
    """

    def __init__(self, space: Space, places: range, sources: Tensor):
        self.places, self._sources = places, sources.to(space.device)
        self.first = int(sources.min())
        copies = torch.arange(self.first, int(sources.max()) + 1)[:, None] == sources
        self._sums = copies.to(space.dtype).to(space.device)

    def fill(self, frame: Tensor, dim: int) -> None:
        """Continue the image in `frame`, in place."""
        frame.narrow(dim, self.places.start, len(self.places)).copy_(frame.index_select(dim, self._sources))

    def fold(self, frame: Tensor, dim: int) -> None:
        """The transpose: add every copy to its source, in place.

        By a matrix product, since adding by index on a GPU sums in any order.
        """
        beyond = frame.narrow(dim, self.places.start, len(self.places))
        folded = self._sums @ beyond if dim == -2 else beyond @ self._sums.T
        frame.narrow(dim, self.first, len(self._sums)).add_(folded)


def _sides(size: int, margin: int, boundary: str) -> list[tuple[range, Tensor]]:
    """Places and sources of both sides of an image of this size with this margin."""
    places = (range(margin), range(margin + size, size + 2 * margin)) if margin else ()
    pairs = []
    for side in places:
        positions = torch.tensor(side)[:, None] - margin
        matrix = sampling_matrix(positions, torch.ones_like(positions).double(), size, boundary)
        pairs.append((side, matrix.argmax(1) + margin))
    return pairs


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

    _preconditioner = LinearOperator._preconditioner  # the closed form

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


def by_plane(apply: Callable[..., Tensor], x: Tensor, weights: Tensor | None = None) -> Tensor:
    """apply(x) or apply(x, weights) on [B, C, H, W], on the CPU plane by plane.

    There a plane's work fits the cache and takes a third less time, and what threads round at the ends of their shares
    does not depend on how many images there are. weights: [p, q], or one for every image as [B, 1, p, q].
    """
    if x.device.type != "cpu":
        return apply(x) if weights is None else apply(x, weights)
    planes = x.flatten(0, 1).split(1)
    if weights is None:
        parts = [apply(plane) for plane in planes]
    else:
        each = weights.expand(*x.shape[:2], *weights.shape[-2:]).flatten(0, 1)
        parts = [apply(plane, weight) for plane, weight in zip(planes, each, strict=True)]
    return torch.cat(parts).unflatten(0, x.shape[:2])


def fast_size(n: int) -> int:
    """The smallest size, n or above, without prime factors above 7, and even: odd ones take FFTs twice as long."""
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and n % 2 == 0:
            return n
        n += 1
