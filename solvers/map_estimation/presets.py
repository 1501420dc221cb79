"""The settings of the released code (Zhang et al. 2026), by prior and task.

Pixel models: t1 = 10 of the linear DDPM schedule. Stable Diffusion 1.5 and the latent diffusion model of FFHQ faces:
t1 = 50 of their schedules; x is the latent as the model sees it.
"""

from __future__ import annotations

from functools import partial

from ...models.schedules import ddpm_sigmas, stable_diffusion_sigmas
from .paper import Paper

_PIXEL_SIGMA = float(ddpm_sigmas()[10])

PIXEL = {
    "denoising": Paper(steps=60, sigma=_PIXEL_SIGMA, weight=2.0),
    "inpainting": Paper(steps=400, sigma=_PIXEL_SIGMA, weight=0.7),
    "super-resolution": Paper(steps=300, sigma=_PIXEL_SIGMA, weight=0.25),
    "deblurring": Paper(steps=200, sigma=_PIXEL_SIGMA, weight=0.01),
}
PRINCIPLED = Paper(sigma=_PIXEL_SIGMA, weight=None, learning_rate=0.1)

_SD = partial(Paper, sigma=float(stable_diffusion_sigmas()[50]), learning_rate=2.0, final_learning_rate=1e-2)
SD15 = {
    "inpainting": _SD(steps=200, weight=0.3),
    "super-resolution": _SD(steps=100, weight=0.15),
    "deblurring": _SD(steps=200, weight=0.1),
    "compressed sensing": _SD(steps=300, weight=0.005, learning_rate=0.5, stable=True),
    "high dynamic range": _SD(steps=400, weight=0.005, stable=True),
    "nonlinear deblurring": _SD(steps=500, weight=0.002, final_learning_rate=1e-5, stable=True),
}

_FFHQ = partial(Paper, sigma=float(stable_diffusion_sigmas(1000, 1.5e-3, 1.95e-2)[50]))
FFHQ_LDM = {
    "denoising": _FFHQ(steps=70, weight=0.6),
    "inpainting": _FFHQ(steps=120, weight=0.3),
    "super-resolution": _FFHQ(steps=60, weight=0.25),
    "deblurring": _FFHQ(steps=100, weight=0.001, learning_rate=0.1),
}
