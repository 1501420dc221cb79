"""What every operator offers: A(x), and for a linear A its adjoint, pseudo-inverse and regularised inverse."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from .conjugate_gradients import conjugate_gradients

Shape = tuple[int, int, int]


class Operator(ABC):
    """A(x) for one image size, built on one device and in one floating point type.

    Images are [B, *image_shape] and measurements [B, *measurement_shape], for any B. Whatever type comes in, and even
    under autocast, the work is done in the operator's own dtype. Inputs are never written to.

    Subclasses fill in the methods with a leading underscore, which may rely on shape and dtype.
    """

    linear = False

    def __init__(self, image_shape: Shape, measurement_shape: Shape, device: torch.device | str, dtype: torch.dtype):
        self.image_shape = tuple(image_shape)
        self.measurement_shape = tuple(measurement_shape)
        self.device = torch.device(device)
        self.dtype = dtype

    def __call__(self, x: Tensor) -> Tensor:
        """A(x): [B, C, H, W] to [B, c, h, w]. Differentiable."""
        return self._run(self._forward, x, "image", self.image_shape)

    def keep(self, y: Tensor) -> Tensor:
        """y with zeros where an entry carries no measurement, such as a missing pixel."""
        return self._run(self._keep, y, "measurement", self.measurement_shape)

    def initial_guess(self, y: Tensor) -> Tensor:
        """An image to start an iteration from, in the units of y."""
        return self._run(self._initial_guess, y, "measurement", self.measurement_shape)

    @property
    def measured(self) -> int:
        """Number of entries of one measurement that carry information."""
        return math.prod(self.measurement_shape)

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _initial_guess(self, y: Tensor) -> Tensor: ...

    def _keep(self, y: Tensor) -> Tensor:
        return y

    def _run(self, method: Callable[..., Tensor], value: Tensor, name: str, shape: Shape, *args: Tensor) -> Tensor:
        if value.ndim != 4 or tuple(value.shape[1:]) != shape:
            got, wanted = " x ".join(map(str, value.shape)), " x ".join(map(str, ("batch", *shape)))
            raise ValueError(f"The {name} is {got}, but this degradation needs {wanted}: change its size or channels.")
        with torch.autocast(value.device.type, enabled=False):
            return method(value.to(self.dtype), *args)


class LinearOperator(Operator):
    """A matrix A, given by its action.

    A subclass needs `_forward` and `_adjoint`; what it cannot do in closed form is done here by conjugate gradients.
    """

    linear = True
    tolerance = 1e-6  # of conjugate gradients: residual relative to the right-hand side, per image
    cosine_gain: Tensor | None = None
    """Eigenvalues [H, W] of an A that is diagonal in the cosine basis (`cosines`); None for any other."""

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y: [B, c, h, w] to [B, C, H, W]. Differentiable."""
        return self._run(self._adjoint, y, "measurement", self.measurement_shape)

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y (Moore-Penrose): of the images that fit y best, the one of least norm. [B, c, h, w] to [B, C, H, W].

        Raises RuntimeError where conjugate gradients are needed and do not converge.
        """
        return self._run(self._pinv, y, "measurement", self.measurement_shape)

    def solve(self, y: Tensor, a: float | Tensor, b: float | Tensor) -> Tensor:
        """(a I + b A A^T)^-1 y, for a, b >= 0, numbers or one per image as [B, 1, 1, 1]. [B, c, h, w] to the same.

        With a = 0 and a singular A A^T, closed forms give the pseudo-inverse. In float32 the residual, relative to y,
        is some 1e-7; for a y that is mostly noise it can reach 1e-7 b |A|^2 / a, by the rounding of the result alone.
        Raises RuntimeError where conjugate gradients are needed and do not converge.
        """
        a, b = (torch.as_tensor(v, dtype=self.dtype, device=self.device) for v in (a, b))
        return self._run(self._solve, y, "measurement", self.measurement_shape, a, b)

    @cached_property
    def norm(self) -> float:
        """Largest singular value of A; from below, by power iteration, where no closed form is known."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, *self.image_shape, generator=generator).to(self.device, self.dtype)
        norm = 0.0
        for _ in range(1000):
            x = self.adjoint(self(x / x.norm()))
            previous, norm = norm, float(x.norm().sqrt())
            if norm - previous <= 1e-7 * norm:
                break
        return norm

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    def _pinv(self, y: Tensor) -> Tensor:
        # From zero, conjugate gradients on A^T A x = A^T y stay in the range of A^T and so end at the least norm.
        return conjugate_gradients(lambda x: self._adjoint(self._forward(x)), self._adjoint(y), self.tolerance)

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return conjugate_gradients(lambda v: a * v + b * self._forward(self._adjoint(v)), y, self.tolerance)

    def _initial_guess(self, y: Tensor) -> Tensor:
        return self._pinv(y)
