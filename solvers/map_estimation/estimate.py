"""The interface of MAP estimation: a method is called with a problem and a denoiser and returns an Estimate."""

from __future__ import annotations

from dataclasses import Field
from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor

from ..noise import Noise
from ..problem import Callback, Denoiser, Problem


class Estimate(NamedTuple):
    """image: [B, C, H, W] in model units; calls: denoiser calls made; residual: |y - A x| / (noise std), root mean
    square per image [B]; change: |x_k - x_k-1| / |x_k| of the last iteration, per image [B]."""

    image: Tensor
    calls: int
    residual: Tensor
    change: Tensor


class Method(Protocol):
    """The settings of a method, a frozen dataclass. steps: at most so many denoiser calls.

    start: [B, C, H, W], where the iteration begins; noise: used by methods that draw.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def steps(self) -> int: ...

    def __call__(
        self, problem: Problem, denoise: Denoiser, start: Tensor, noise: Noise, callback: Callback
    ) -> Estimate: ...
