"""Apply a degradation to an IMAGE."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_management
import torch
from torch import Tensor

from ..linalg.dot import dot
from ..operators import Degradation, Operator
from ..operators.noise import poisson
from ..solvers.noise import Noise
from .images import measured_channels, to_channels_first

NOISE_STAGE = 0


def degrade(image: Tensor, degradation: Degradation, noise_std: float, seed: int, photon_noise: bool = False) -> Tensor:
    """A(image) + noise_std * n, [B, h, w, C]; zero where nothing is measured. Clamped only by `Clipped`.

    photon_noise: Poisson noise instead, of so many photons that its variance is noise_std^2 on average over the image.
    Raises ValueError where that would be asked of a measurement that is negative in places.
    """
    if noise_std < 0:
        raise ValueError(f"noise_std is {noise_std}: give the noise's standard deviation, 0 or more.")
    x = to_channels_first(image).to(comfy.model_management.get_torch_device())
    _, channels, height, width = x.shape
    operator = degradation.build(channels, height, width, x.device)
    y = operator(x)
    noise = Noise(seed, [0] * len(y), NOISE_STAGE)
    if not photon_noise:
        y = y + noise_std * noise.like(y)
    elif noise_std > 0:
        y = _count_photons(operator, operator.keep(y), noise_std, noise.generators)
    y = y.clamp(0, 1) if operator.clipped else y
    return operator.keep(y).movedim(1, -1).contiguous().to(image.device)


def _count_photons(operator: Operator, y: Tensor, noise_std: float, generators: Sequence[torch.Generator]) -> Tensor:
    if y.clamp_max(0).norm() > 0.01 * y.norm():  # less is the overshoot of a bicubic kernel
        raise ValueError(
            "Poisson noise counts light, but this degradation gives negative values too: choose Gaussian noise."
        )
    means = [float(one.clamp_min(0).sum()) / operator.measured for one in y]
    counts = [
        poisson(one[None], mean / noise_std**2, [generator]) if mean else one[None]  # the dark has no noise
        for one, mean, generator in zip(y, means, generators, strict=True)
    ]
    return torch.cat(counts)


def residual_in_noise(
    image: Tensor, operator: Operator, measurement: Tensor, noise_std: float
) -> tuple[Tensor, Tensor]:
    """(y - A(image)) / noise_std where something was measured, flat, and its root mean square per image [B].

    measurement: one for each image, or one for all. Raises ValueError for a noise std of 0.
    """
    if noise_std <= 0:
        raise ValueError("Residual / noise needs the noise_std of the measurement, above 0.")
    x = to_channels_first(image).to(operator.device)
    y = measured_channels(measurement, operator).to(operator.device)
    if len(y) not in (1, len(x)):
        raise ValueError(f"There are {len(x)} images and {len(y)} measurements: give one for each, or one for all.")
    predicted = operator(x).clamp(0, 1) if operator.clipped else operator(x)
    residual = operator.keep(operator.keep(y) - predicted) / noise_std  # the inner one names another size
    ratio = (dot(residual, residual).flatten() / operator.measured).sqrt()
    measured = operator.keep(y.new_ones(1, *operator.measurement_shape)).expand_as(residual) != 0
    return residual[measured], ratio


def over_reference(image: Tensor, reference: Tensor, degradation: Degradation, measurement: Tensor) -> Tensor:
    """The part of a restored IMAGE that lies on the reference, where the damage rounds sizes up.

    Super-resolution makes 65 pixels of 257, and they restore to 260, whose last 3 the mirrored border had brought. An
    image of a size that is not explained so is returned as it is.
    """
    height, width, channels = reference.shape[1:]
    if height > image.shape[1] or width > image.shape[2]:
        return image
    try:
        rounded = degradation.build(channels, height, width).measurement_shape[1:] == tuple(measurement.shape[1:3])
    except ValueError:
        return image
    return image[:, :height, :width] if rounded else image
