"""ComfyUI's IMAGE, [B, H, W, C] in 0..1, and the tensors that solvers work on. Nothing is clamped on the way."""

from __future__ import annotations

from dataclasses import replace

import comfy.model_management
import torch
from torch import Tensor

from ..operators import Operator, model_units
from ..solvers.problem import Problem


def to_channels_first(image: Tensor) -> Tensor:
    """[B, H, W, C] to a contiguous float32 copy [B, C, H, W]."""
    return image.movedim(-1, 1).float().clone(memory_format=torch.contiguous_format)


def to_model_units(image: Tensor) -> Tensor:
    """IMAGE to pixels in [-1, 1], [B, C, H, W]."""
    return to_channels_first(image) * 2 - 1


def to_image(x: Tensor) -> Tensor:
    """Pixels in [-1, 1], [B, C, H, W], to IMAGE."""
    image = (x.movedim(1, -1) + 1) / 2
    return image.contiguous().to(comfy.model_management.intermediate_device())


def check_measurement(measurement: Tensor, noise_std: float) -> None:
    """Raises ValueError for a negative noise std, or a measurement with NaN or infinity."""
    if noise_std < 0:
        raise ValueError(f"noise_std is {noise_std}: give the noise's standard deviation, 0 or more.")
    if not torch.isfinite(measurement).all():
        raise ValueError("The measurement holds NaN or infinity: check the node that made it.")


def measured_channels(measurement: Tensor, operator: Operator) -> Tensor:
    """IMAGE [B, h, w, C] as [B, c, h, w] with the c channels that the operator measures.

    Grey travels as one channel. A grey photo loaded as RGB is as good: of three channels that are equal, one is
    taken. Raises ValueError for other numbers of channels, and for one that is asked of a picture with colors.
    """
    y, channels = to_channels_first(measurement), operator.measurement_shape[0]
    if y.shape[1] == channels:
        return y
    if channels != 1:
        raise ValueError(
            f"The measurement has {y.shape[1]} channels, but this degradation needs {channels}: give it as RGB."
        )
    if not (y == y[:, :1]).all():
        raise ValueError(
            "The measurement has colors, but this degradation needs a grey one: take the colors out with 'Apply "
            "Degradation (MAP-RPS)', the same degradation and noise_std 0."
        )
    return y[:, :1]


def measured_problem(operator: Operator, measurement: Tensor, noise_std: float) -> Problem:
    """y = A(x) + noise in model units, on the operator's device, from IMAGE and a noise std in image units.

    Its tensors may take part in a backward pass, also where the host runs nodes under inference mode.
    """
    with torch.inference_mode(False):
        y = measured_channels(measurement, operator).to(operator.device)
        problem = Problem(*model_units(operator, y, noise_std))
        if not operator.clipped:
            return problem
        low, high = (model_units(operator, torch.full_like(y[:1], end), noise_std)[1] for end in (0.0, 1.0))
        return replace(problem, ends=(low, high))
