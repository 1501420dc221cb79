"""Deblurring where the kernel changes across the image, as with a simple lens or a curved field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from ..linalg.fft import by_plane
from ..linalg.linear_map import Map
from .base import LinearOperator
from .blur import gaussian_taps
from .boundary import check_boundary
from .convolution import borderless_inverse
from .degradation import Degradation
from .frame import Frame
from .space import Space

LEVELS = 5  # of kernels between centre and corner


@dataclass(frozen=True)
class SpaceVaryingBlur(Degradation):
    """Gaussian blur that grows from `sigma_center` px in the middle of the image to `sigma_corner` px in its corners.

    Kernels of five stds, evenly spaced, are each exact on a ring around the centre, evenly spaced too; between two
    rings a point of light becomes a mix of both kernels (Nagy and O'Leary, "Restoring images degraded by spatially
    variant blur", SIAM J. Sci. Comput. 1998), with weights cos^2 and sin^2 of the way between them. A kernel is as
    large as the widest needs, cut at three stds.
    """

    sigma_center: float = 0.5
    sigma_corner: float = 4.0
    boundary: str = "reflect"

    def __post_init__(self) -> None:
        for sigma in (self.sigma_center, self.sigma_corner):
            if not (sigma > 0 and math.isfinite(sigma)):
                raise ValueError(f"A blur sigma is {sigma}: use a number of pixels above 0.")
        check_boundary(self.boundary)

    def _build(self, space: Space) -> VaryingConvolution:
        return VaryingConvolution(space, self.kernels(), radial_windows(space.height, space.width), self.boundary)

    def kernels(self) -> Tensor:
        """[LEVELS, h, w], float64, from centre to corner. Each sums to one."""
        size = 2 * math.ceil(3 * max(self.sigma_center, self.sigma_corner)) + 1
        sigmas = torch.linspace(self.sigma_center, self.sigma_corner, LEVELS, dtype=torch.float64).tolist()
        taps = [gaussian_taps(size, sigma) for sigma in sigmas]
        return torch.stack([torch.outer(t, t) for t in taps])

    def describe(self) -> str:
        return (
            f"space-varying Gaussian blur, sigma {self.sigma_center:g} px in the centre to {self.sigma_corner:g} px in "
            f"the corners, {self.boundary} boundary"
        )


def radial_windows(height: int, width: int) -> Tensor:
    """Smooth weights [LEVELS, H, W], float64, that sum to one; at each pixel only two neighbours are above zero."""
    rows, columns = (2 * torch.arange(n, dtype=torch.float64) - (n - 1) for n in (height, width))
    radius = torch.hypot(rows[:, None], columns)
    level = radius / radius.max().clamp_min(1) * (LEVELS - 1)
    distance = (level - torch.arange(LEVELS).view(-1, 1, 1)).abs().clamp_max(1)
    return torch.cos(distance * math.pi / 2).square()


class VaryingConvolution(LinearOperator):
    """A = sum_k H_k diag(w_k): the image is cut up by windows w_k, and each part is convolved with its own kernel.

    A and A^T are exact and cost one FFT for each kernel and one more; the inverses take iterations.
    kernels [K, k, l] and windows [K, H, W]: float64 on the CPU.
    """

    def __init__(self, space: Space, kernels: Tensor, windows: Tensor, boundary: str):
        super().__init__(space, space.shape)
        self.frame = Frame(space, (kernels.shape[1], kernels.shape[2]), boundary)
        self.responses = [self.frame.response(kernel) for kernel in kernels]
        self._conjugates = [response.conj().resolve_conj() for response in self.responses]
        self.windows = windows.to(space.dtype).to(space.device)

    def _forward(self, x: Tensor) -> Tensor:
        parts = list(zip(self.windows, self.responses, strict=True))

        def blur(plane: Tensor) -> Tensor:
            blurred = (self.frame.spectrum(window * plane).mul_(response) for window, response in parts)
            return self.frame.cut(reduce(torch.add, blurred))

        return by_plane(blur, x)

    def _adjoint(self, y: Tensor) -> Tensor:
        parts = list(zip(self.windows, self._conjugates, strict=True))

        def transposed(plane: Tensor) -> Tensor:
            spectrum = self.frame.transposed_cut(plane)
            return sum(window * self.frame.transposed_spectrum(spectrum * conjugate) for window, conjugate in parts)

        return by_plane(transposed, y)

    def _preconditioner(self, a: Tensor, b: Tensor) -> Map:
        """Window by window that of each kernel alone."""
        powers = [response.abs().square() for response in self.responses]
        inverses = [borderless_inverse(self.frame, power, a, b) for power in powers]
        shares = self.windows.sqrt()  # whose squares add up to one

        def apply(v: Tensor) -> Tensor:
            return sum(share * inverse(share * v) for share, inverse in zip(shares, inverses, strict=True))

        return apply

    def _initial_guess(self, y: Tensor) -> Tensor:
        return y  # the pseudo-inverse would blow up the noise
