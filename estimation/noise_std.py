"""How noisy a photo is, from the photo alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from ..evaluation.quality import floating
from .block_grid import block_grid

NORMAL = 0.6744897501960817  # median of |n| for n of std 1
ROOT = 3**0.5
HIGH_PASS = tuple(n / 32**0.5 for n in (1 - ROOT, ROOT - 3, 3 + ROOT, -1 - ROOT))  # of Daubechies' wavelet of 4 taps

CLIPPED = 0.05  # part of the values; below, the bias is less than a hundredth
COARSE_COLOR = 0.35  # of brightness; 4:2:0 stays below, photos are above, white noise is at 2.4
COMPRESSED = "0.01 (quality 95) to 0.03 (quality 75)"  # what it changes in the example photos


class NoiseEstimate(NamedTuple):
    """noise_std: root mean square over images and channels. per_channel: [B, C]. Both in units of the 0..1 range."""

    noise_std: float
    per_channel: Tensor
    text: str


def estimate_noise(images: Tensor, mask: Tensor | None = None) -> NoiseEstimate:
    """Std of white Gaussian noise, by the median of the finest diagonal wavelet coefficients: median(|HH1|) / 0.6745.

    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994, with the field's usual
    wavelet, Daubechies' of four taps. Windows of 4 x 4 pixels that touch the border, a clipped pixel (exactly 0 or 1)
    or the mask are left out. Fine texture counts as noise, which is felt where there is little noise.

    images: IMAGE [B, H, W, C], of colors only. mask: MASK [1 or B, H, W], above 0.5 where not to look. Raises
    ValueError where nothing is left to look at.
    """
    planes = floating(images).movedim(-1, 1)
    clipped = (planes == 0) | (planes == 1)
    hidden = clipped if mask is None else clipped | _fitting(mask, planes)
    stds, lines = [], []
    for i, image in enumerate(planes):
        found = [_std(plane, out) for plane, out in zip(image, hidden[i], strict=True)]
        stds.append(torch.tensor(found))
        channels = ", ".join(f"{std:.4f}" for std in found)
        lines.append(f"{i + 1}. noise_std {_rms(stds[-1]):.4f} (channels {channels})")
        lines += _bounds(image, float(clipped[i].float().mean()))
    per_channel = torch.stack(stds)
    return NoiseEstimate(_rms(per_channel), per_channel, "\n".join(lines))


def _fitting(mask: Tensor, planes: Tensor) -> Tensor:
    """bool [1 or B, 1, H, W]."""
    (h, w), (height, width) = mask.shape[-2:], planes.shape[-2:]
    if (h, w) != (height, width):
        raise ValueError(
            f"The mask is {w}x{h} pixels and the image {width}x{height}: resize one to the size of the other."
        )
    if len(mask) not in (1, len(planes)):
        raise ValueError(f"There are {len(planes)} images and {len(mask)} masks: give one for each, or one for all.")
    return (mask.to(planes.device) > 0.5).expand(len(planes), -1, -1)[:, None]


def _std(plane: Tensor, hidden: Tensor) -> float:
    """Of one channel [H, W]."""
    if min(plane.shape) < len(HIGH_PASS):
        raise ValueError(f"The image is {plane.shape[1]}x{plane.shape[0]} pixels: it takes 4x4 to see its noise.")
    row = torch.tensor(HIGH_PASS).to(plane)
    details = conv2d(plane[None, None], torch.outer(row, row)[None, None], stride=2)[0, 0].abs()
    seen = max_pool2d(hidden[None].to(plane), len(HIGH_PASS), stride=2)[0] == 0
    if not seen.any():
        raise ValueError("No part of the image is free of the mask and of black or white: there is no noise to see.")
    return float(np.median(details[seen].numpy(force=True))) / NORMAL


def _bounds(image: Tensor, clipped: float) -> list[str]:
    """Why the noise was stronger than it looks now, and what to do then, a line or none. image: [C, H, W]."""
    reasons = []
    if block_grid(image.mean(0)) is not None:
        reasons.append("it looks JPEG-compressed (a grid of 8x8 pixels shows)")
    if len(image) == 3 and 0 < finest_color(image) < COARSE_COLOR:
        reasons.append("its finest detail has hardly any color, as after JPEG, video or a camera's smoothing")
    advice = f". Do not connect it: give noise_std by hand, {COMPRESSED}" if reasons else ""
    if clipped > CLIPPED:
        reasons.append(f"{clipped:.0%} of its values are clipped to black or white (left out, but others were near it)")
    return [f"   A lower bound, for noise was taken away: {'; '.join(reasons)}{advice}."] if reasons else []


def finest_color(image: Tensor) -> float:
    """Std of the finest detail of color differences over that of brightness; 0 for grey."""
    nowhere = torch.zeros_like(image[0], dtype=torch.bool)
    brightness = _std(image.mean(0), nowhere)
    differences = _std(image[0] - image[1], nowhere) + _std(image[1] - image[2], nowhere)
    return differences / (2 * brightness) if brightness > 0 else 0.0


def _rms(stds: Tensor) -> float:
    return float(stds.square().mean().sqrt())
