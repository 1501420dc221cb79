"""What every operator offers: A(x), and for a linear A its adjoint, pseudo-inverse and regularised inverse."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..linalg.conjugate_gradients import conjugate_gradients
from ..linalg.lanczos import largest_eigenvalue
from ..linalg.least_squares import least_squares
from ..linalg.linear_map import Map, linear_map
from ..linalg.stationary import Stationary
from .space import Shape, Space

if TYPE_CHECKING:
    from typing_extensions import Self

LOOSE_STEPS = 200


class Operator(ABC):
    """A(x) for the images of one space.

    Images are [B, *image_shape] and measurements [B, *measurement_shape], for any B. Whatever type comes in, and even
    under autocast, the work is done in the operator's own dtype. Inputs are never written to.

    Subclasses fill in the methods with a leading underscore, which may rely on shape and dtype.
    """

    linear = False
    ambiguous = False
    """Whether quite another image can have the same measurement, so that the initial guess may be of that."""
    clipped = False
    """Whether measurements were clipped to 0..1, noise and all, so that 0 and 1 are but bounds."""
    rebuild: Callable[[torch.dtype], Self] | None = None
    """Builds the same operator in another floating point type; None for one not built from a description."""

    def __init__(self, space: Space, measurement_shape: Shape):
        self.space = space
        self.image_shape = space.shape
        self.measurement_shape = measurement_shape
        self.device, self.dtype = space.device, space.dtype

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

    def _run(self, method: Callable[..., Tensor], value: Tensor, name: str, shape: Shape, *args) -> Tensor:
        if value.ndim != 4 or tuple(value.shape[1:]) != shape:
            got, wanted = " x ".join(map(str, value.shape)), " x ".join(map(str, ("batch", *shape)))
            raise ValueError(f"The {name} is {got}, but this degradation needs {wanted}: change its size or channels.")
        if not torch.is_autocast_enabled(value.device.type):  # to enter a context takes as long as a small mask
            return method(value.to(self.dtype), *args)
        with torch.autocast(value.device.type, enabled=False):
            return method(value.to(self.dtype), *args)


class LinearOperator(Operator):
    """A matrix A, given by its action.

    A subclass needs `_forward` and `_adjoint`, in which it may write to tensors that it made itself; what it cannot do
    in closed form is done here by iteration, in float64 where the device has it.
    """

    linear = True
    orthonormal_rows = False
    """Whether A A^T = I on what is measured, so that A^T y is those entries of the image behind white noise."""
    tolerance = 5e-6  # of the iterations: residual relative to the right-hand side, per image

    def __call__(self, x: Tensor) -> Tensor:
        return self._run(linear_map, x, "image", self.image_shape, self._forward, self._adjoint)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y: [B, c, h, w] to [B, C, H, W]. Differentiable."""
        return self._run(linear_map, y, "measurement", self.measurement_shape, self._adjoint, self._forward)

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y (Moore-Penrose): of the images that fit y best, the one of least norm. [B, c, h, w] to [B, C, H, W].

        Where that takes an iteration, it ends with the residual at 5e-6 of y, or with nothing left in y that A reaches
        more strongly than 5e-7 of its norm, or after 3000 steps, or twice that many: see `least_squares`. It is for a y
        with little or no noise; that of a blur makes noise larger by as much as its weakest singular value is small.
        Raises RuntimeError where y is not finite and an iteration is needed.
        """
        return self._run(self._pinv, y, "measurement", self.measurement_shape)

    def solve(self, y: Tensor, a: float | Tensor, b: float | Tensor, tolerance: float | None = None) -> Tensor:
        """(a I + b A A^T)^-1 y, for a, b >= 0, numbers or one per image as [B, 1, 1, 1]. [B, c, h, w] to the same.

        With a = 0 and a singular A A^T, closed forms give the pseudo-inverse. The residual, relative to y, is some 1e-7
        in float32 for closed forms and up to 5e-6 for iterations; for a y that is mostly noise it can reach
        1e-7 b |A|^2 / a, by the rounding of the result alone. Differentiable in y.
        tolerance: for a solver that can do with less. An iteration then works in the operator's own dtype and takes at
        most 200 steps.
        Raises RuntimeError where conjugate gradients are needed and do not converge.
        """
        a, b = self._number(a), self._number(b)
        method: Callable[..., Tensor] = self._solve
        if tolerance is not None and not self.closed_form:
            method = partial(self._iterate, tolerance=tolerance, max_iterations=LOOSE_STEPS, cut_short=True)
        return self._run(method, y, "measurement", self.measurement_shape, a, b)

    def measured_covariance(self, covariance: Stationary, y: Tensor) -> Tensor:
        """A R A^T y, for a stationary covariance R of images. [B, c, h, w] to the same."""
        return self(covariance(self.adjoint(y)))

    def preconditioner(self, a: float | Tensor, b: float | Tensor) -> Map | None:
        """A map near (a I + b A A^T)^-1, symmetric positive definite, for A whose `solve` iterates: at a step's cost.

        None where `solve` is a closed form, and where no such map is known. a > 0 and b as in `solve`.
        """
        if self.closed_form:
            return None
        nearly = self._preconditioner(self._number(a), self._number(b))
        return nearly and (lambda v: self._run(nearly, v, "measurement", self.measurement_shape))

    @property
    def closed_form(self) -> bool:
        """Whether `solve` needs no iteration."""
        return type(self)._solve is not LinearOperator._solve

    @cached_property
    def norm(self) -> float:
        """Largest singular value of A; from below, by Lanczos iteration, where no closed form is known."""
        noise = torch.randn(1, *self.image_shape, generator=torch.Generator().manual_seed(0))
        start = 1 + noise.to(self.device, self.dtype)  # what most degradations keep best is a flat image
        return largest_eigenvalue(lambda x: self.adjoint(self(x)), start) ** 0.5

    @property
    def isotropy(self) -> float | None:
        """c of an A^T A = c I, which measures every direction of an image equally well; None for any other."""
        return None

    @property
    def cosine_gain(self) -> Tensor | None:
        """Eigenvalues [H, W] of an A that is diagonal in the cosine basis (`cosines`); None for any other."""
        return None

    @cached_property
    def precise(self) -> LinearOperator:
        """The same in float64, where that can be had."""
        if self.rebuild is None or self.dtype == torch.float64 or self.device.type == "mps":
            return self
        return self.rebuild(torch.float64)

    def _number(self, value: float | Tensor) -> Tensor:
        if isinstance(value, Tensor):
            return value.to(self.device, self.dtype)
        return torch.full((), value, device=self.device, dtype=self.dtype)  # as_tensor would wait for the GPU

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    def _pinv(self, y: Tensor) -> Tensor:
        exact = self.precise
        maps, accuracy = (exact._forward, exact._adjoint), (self.tolerance, 0.1 * self.tolerance)
        small, one = (torch.tensor(v, dtype=exact.dtype, device=exact.device) for v in (1e-4 * exact.norm**2, 1))
        weigh = exact._preconditioner(small, one)

        def fit(v: Tensor) -> Tensor:
            # A weighted fit comes near in far fewer steps, and where y is the A of something it is the answer.
            start = least_squares(*maps, v, *accuracy, weigh=weigh) if weigh else None
            return least_squares(*maps, v, *accuracy, start=start)

        def transposed(x: Tensor) -> Tensor:
            return least_squares(*maps[::-1], x, *accuracy)

        return linear_map(y.to(exact.dtype), fit, transposed).to(self.dtype)

    def _solve(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        exact = self.precise
        y, a, b = (v.to(exact.dtype) for v in (y, a, b))
        return exact._iterate(y, a, b, self.tolerance).to(self.dtype)

    def _iterate(self, y: Tensor, a: Tensor, b: Tensor, tolerance: float, **options) -> Tensor:
        nearly = self._preconditioner(a, b)

        def normal(z: Tensor) -> Tensor:
            return a * z + b * self._forward(self._adjoint(z))

        def invert(v: Tensor) -> Tensor:
            return conjugate_gradients(normal, v, tolerance, precondition=nearly, **options)

        return linear_map(y, invert, invert)

    def _preconditioner(self, a: Tensor, b: Tensor) -> Map | None:
        """A symmetric positive definite map near (a I + b A A^T)^-1, or None. A closed form is its own."""
        return (lambda v: self._solve(v, a, b)) if self.closed_form else None

    def _initial_guess(self, y: Tensor) -> Tensor:
        return self._pinv(y)
