"""A color scale whose lightness rises evenly, from near black over violet and orange to a pale yellow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# Lightness, chroma, hue in degrees, equally spaced along the scale.
CONTROLS = np.array(
    [
        (0.14, 0.02, 285),
        (0.34, 0.15, 295),
        (0.54, 0.19, 355),
        (0.74, 0.16, 415),
        (0.94, 0.12, 460),
    ]
)


@lru_cache
def table() -> Tensor:
    """[256, 3] sRGB in 0..1: the control colors joined by straight lines in Oklab's lightness, chroma and hue."""
    at = np.linspace(0, len(CONTROLS) - 1, 256)
    lightness, chroma, hue = (np.interp(at, range(len(CONTROLS)), column) for column in CONTROLS.T)
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    return torch.from_numpy(oklab_to_srgb(np.stack([lightness, a, b], axis=-1)).astype(np.float32))


def oklab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """[..., 3] to sRGB, clipped to its gamut. Ottosson, "A perceptual color space for image processing", 2020."""
    to_lms = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_lms.T) ** 3 @ to_rgb.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def colorize(values: Tensor) -> Tensor:
    """Values in 0..1, clipped, of any shape, as RGB in the last dimension."""
    return table()[(values.clamp(0, 1) * 255).round().long()]


def color(value: float) -> tuple[int, int, int]:
    """The color of a value in 0..1, as Pillow takes it."""
    return tuple((table()[round(value * 255)] * 255).round().int().tolist())
