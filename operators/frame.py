"""What a convolution by FFT needs around an image: how it goes on beyond its border."""

from __future__ import annotations

import torch
from torch import Tensor

from ..linalg.fft import fast_size
from .boundary import sampling_matrix
from .space import Space


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
