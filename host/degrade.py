"""Apply a degradation to an IMAGE."""

from __future__ import annotations

import comfy.model_management
from torch import Tensor

from ..operators import Degradation, inner_product
from ..solvers.noise import Noise
from .pixel import measured_channels, to_channels_first

NOISE_STAGE = 0


def degrade(image: Tensor, degradation: Degradation, noise_std: float, seed: int) -> Tensor:
    """A(image) + noise_std * n, [B, h, w, C]; zero where nothing is measured, and never clamped."""
    if noise_std < 0:
        raise ValueError(f"noise_std is {noise_std}: give the noise's standard deviation, 0 or more.")
    x = to_channels_first(image).to(comfy.model_management.get_torch_device())
    operator = degradation.build(*x.shape[1:], x.device)
    y = operator(x)
    noise = Noise(seed, [0] * len(y), NOISE_STAGE).like(y)
    return operator.keep(y + noise_std * noise).movedim(1, -1).contiguous().to(image.device)


def residual_in_noise(
    image: Tensor, degradation: Degradation, measurement: Tensor, noise_std: float
) -> tuple[Tensor, Tensor]:
    """(y - A(image)) / noise_std where something was measured, flat, and its root mean square per image [B].

    measurement: one for each image, or one for all. Raises ValueError for a noise std of 0.
    """
    if noise_std <= 0:
        raise ValueError("Residual / noise needs the noise_std of the measurement, above 0.")
    x = to_channels_first(image)
    operator = degradation.build(*x.shape[1:])
    y = measured_channels(measurement, operator).expand(len(x), -1, -1, -1)
    residual = operator.keep(y - operator(x)) / noise_std
    ratio = (inner_product(residual, residual) / operator.measured).sqrt()
    measured = operator.keep(y.new_ones(1, *operator.measurement_shape)).expand_as(residual) != 0
    return residual[measured], ratio
