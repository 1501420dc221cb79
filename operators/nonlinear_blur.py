"""Nonlinear blur: light was blurred, and the camera made numbers of it afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .base import LinearOperator, Operator
from .degradation import Degradation
from .motion_blur import MotionBlur
from .space import Space

TOE = 0.04
"""Values below this, 10 of 255, are proportional to light, about as in sRGB: a power alone would be infinitely steep
at black."""


@dataclass(frozen=True)
class NonlinearBlur(Degradation):
    """A blur in linear light: y = response(min(exposure * blur(response^-1(x)), 1)).

    blur: any linear degradation, with its own sizes and boundary. The response of the camera is v^(1 / gamma) for light
    v in 0..1, the usual model of blurred photos (Nah, Kim and Lee, "Deep multi-scale convolutional neural network for
    dynamic scene deblurring", CVPR 2017, with gamma 2.2), with a straight line near black and odd below it. gamma 1
    makes numbers of light as it is.
    exposure: light gathered, in terms of the image's, 1 or more. Above 1 the sensor saturates: what exceeds white is
    clipped and lost. At 1 nothing is clipped.
    """

    blur: Degradation = field(default_factory=MotionBlur)
    gamma: float = 2.2
    exposure: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.gamma <= 5:
            raise ValueError(f"The gamma is {self.gamma}: use 1 to 5; most cameras are near 2.2.")
        if not (self.exposure >= 1 and math.isfinite(self.exposure)):
            raise ValueError(f"The exposure is {self.exposure}: use 1 (nothing saturates) or more.")

    def _build(self, space: Space) -> LinearLight:
        blur = self.blur.build(*space.shape, space.device, space.dtype)
        if not isinstance(blur, LinearOperator):
            raise ValueError(f"A nonlinear blur is made from a linear one, not from {self.blur.describe()}.")
        return LinearLight(blur, self.gamma, self.exposure)

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return self.blur.image_size(height, width)

    def describe(self) -> str:
        exposure = f", exposure {self.exposure:g}" if self.exposure > 1 else ""
        return f"{self.blur.describe()}, in linear light (gamma {self.gamma:g}{exposure})"


class LinearLight(Operator):
    """The gradient is the true one: zero where the sensor saturates."""

    def __init__(self, blur: LinearOperator, gamma: float, exposure: float):
        super().__init__(blur.space, blur.measurement_shape)
        self.blur, self.gamma, self.exposure = blur, gamma, exposure

    @property
    def measured(self) -> int:
        return self.blur.measured

    def _forward(self, x: Tensor) -> Tensor:
        light = self.blur(to_light(x, self.gamma))
        if self.exposure > 1:
            light = (self.exposure * light).clamp(max=1)
        return to_values(light, self.gamma)

    def _keep(self, y: Tensor) -> Tensor:
        return self.blur.keep(y)

    def _initial_guess(self, y: Tensor) -> Tensor:
        """That of the linear blur, from the light that was measured."""
        light = self.blur.initial_guess(to_light(y, self.gamma) / self.exposure)
        return to_values(light, self.gamma)


def to_light(values: Tensor, gamma: float) -> Tensor:
    """Inverse of to_values."""
    power = values.sign() * values.abs().clamp_min(TOE) ** gamma  # clamped, for a finite gradient of what is not taken
    return torch.where(values.abs() < TOE, values * TOE ** (gamma - 1), power)


def to_values(light: Tensor, gamma: float) -> Tensor:
    """The response of the camera, odd and increasing: 1 for light 1, and of slope TOE^(1 - gamma) at black."""
    toe = TOE**gamma
    power = light.sign() * light.abs().clamp_min(toe) ** (1 / gamma)
    return torch.where(light.abs() < toe, light * TOE ** (1 - gamma), power)
