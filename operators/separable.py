"""Operators that act on height and width one after the other: A = R_v x R_h^T on every channel.

Resampling and Gaussian blur are of this kind for every boundary, so one class serves them all exactly: A and A^T are
products with banded matrices, and the singular value decomposition of A is that of its two small factors,
A = (U_v (x) U_h) diag(s_v (x) s_h) (V_v (x) V_h)^T.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ..linalg.banded import Banded, both_sides
from ..linalg.cosine_basis import cosine_eigenvalues, cosines
from ..linalg.stationary import Stationary
from ..linalg.svd import RCOND, reciprocal, svd
from .base import LinearOperator
from .space import Space


class Separable(LinearOperator):
    """vertical [h, H] and horizontal [w, W], float64 on the CPU, with h <= H and w <= W.

    A and A^T cost as much as the bands are wide. The inverses are four dense products, h w (h + w) multiplications
    twice over per channel, after one decomposition that is made when first needed.
    """

    def __init__(self, space: Space, vertical: Tensor, horizontal: Tensor):
        super().__init__(space, (space.channels, len(vertical), len(horizontal)))
        self.vertical, self.horizontal = vertical, horizontal
        self._bands = self._banded(vertical), self._banded(horizontal)
        self._transposed = self._banded(vertical.T), self._banded(horizontal.T)

    def _forward(self, x: Tensor) -> Tensor:
        vertical, horizontal = self._bands
        return horizontal.along_width(vertical.along_height(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        vertical, horizontal = self._transposed
        return vertical.along_height(horizontal.along_width(y))

    def _pinv(self, y: Tensor) -> Tensor:
        (u_v, _, v_v), (u_h, _, v_h), values = self._svd
        return both_sides(v_v, both_sides(u_v.T, y, u_h.T) * reciprocal(values, RCOND), v_h)

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        (u_v, _, _), (u_h, _, _), values = self._svd
        return both_sides(u_v, both_sides(u_v.T, y, u_h.T) * reciprocal(a + b * values**2, RCOND**2), u_h)

    def measured_covariance(self, covariance: Stationary, y: Tensor) -> Tensor:
        """Between y and the modes of R, with A and the cosine basis in one product: those are as small as y."""
        vertical, horizontal = self._by_mode
        modes = both_sides(vertical.T, y, horizontal.T)
        return both_sides(vertical, covariance.weigh(modes, covariance.power), horizontal)

    @cached_property
    def _by_mode(self) -> tuple[Tensor, ...]:
        """Both factors times the cosine basis, [h, H] and [w, W]."""
        with torch.inference_mode(False):
            return self._cast(*(m @ cosines(m.shape[1]).T for m in (self.vertical, self.horizontal)))

    @cached_property
    def norm(self) -> float:
        return float(self.singular_values.max())

    @property
    def singular_values(self) -> Tensor:
        """[h, w], those of every channel."""
        return self._svd[2]

    @cached_property
    def cosine_gain(self) -> Tensor | None:
        """That of blurs with a symmetric kernel and mirrored borders."""
        vertical, horizontal = cosine_eigenvalues(self.vertical), cosine_eigenvalues(self.horizontal)
        if vertical is None or horizontal is None:
            return None
        with torch.inference_mode(False):
            return self._cast(torch.outer(vertical, horizontal))[0]

    @cached_property
    def _svd(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], Tensor]:
        """(U, s, V) of both factors, and all singular values of A as [h, w]. Made on first use: A alone needs none."""
        with torch.inference_mode(False):
            vertical = svd(self.vertical)
            horizontal = vertical if torch.equal(self.vertical, self.horizontal) else svd(self.horizontal)
            values = torch.outer(vertical[1], horizontal[1])
            return self._cast(*vertical), self._cast(*horizontal), self._cast(values)[0]

    def _banded(self, matrix: Tensor) -> Banded:
        return Banded(matrix, self.device, self.dtype)

    def _cast(self, *parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.to(self.dtype).to(self.device) for part in parts)  # in two steps: MPS has no float64
