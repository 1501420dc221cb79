"""The settings of the released code (Zhang et al. 2026), by prior and task.

Pixel models: t1 = 10 of the linear DDPM schedule.
"""

from __future__ import annotations

from ..schedules import ddpm_sigmas
from .paper import Paper

_PIXEL_SIGMA = float(ddpm_sigmas()[10])

PIXEL = {
    "denoising": Paper(steps=60, sigma=_PIXEL_SIGMA, weight=2.0),
    "inpainting": Paper(steps=400, sigma=_PIXEL_SIGMA, weight=0.7),
    "super-resolution": Paper(steps=300, sigma=_PIXEL_SIGMA, weight=0.25),
    "deblurring": Paper(steps=200, sigma=_PIXEL_SIGMA, weight=0.01),
}
PRINCIPLED = Paper(sigma=_PIXEL_SIGMA, weight=None, learning_rate=0.1)
