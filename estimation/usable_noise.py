"""The noise_std to restore a photo with."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from ..evaluation.quality import floating
from .color_noise import color_noise
from .damage import Damage, kept_in_channels, luma_of
from .jpeg_quality import jpeg_trace
from .noise_std import COARSE_COLOR, NoiseEstimate, finest_color


class UsableNoise(NamedTuple):
    """noise_std: root mean square over the images, on the 0..1 scale. text: a line for each."""

    noise_std: float
    text: str


def usable_noise(images: Tensor, mask: Tensor | None, estimate: NoiseEstimate, steps: Tensor) -> UsableNoise:
    """From an estimate by wavelets, which counts texture as noise and does not see what JPEG has done, and from what
    sees that: the traces of JPEG, and the colors of noise.

    images: [B, H, W, C]; mask: [1 or B, H, W], as `estimate_noise` takes them. steps: JPEG's tables of luma,
    [100, 8, 8], for the qualities from 1 on.
    """
    stds, lines = [], []
    for i, image in enumerate(floating(images).movedim(-1, 1)):
        hidden = ((image == 0) | (image == 1)).any(0)
        if mask is not None:
            hidden = hidden | (mask[i % len(mask)].to(hidden.device) > 0.5)
        colors = len(image) >= 3 and finest_color(image[:3]) >= COARSE_COLOR
        jpeg = jpeg_trace(luma_of(image), hidden, steps)
        color = color_noise(image[:3], hidden) if colors else None
        if jpeg:
            kept = kept_in_channels(image, jpeg)
            std, why = Damage(kept, jpeg).noise_std, f"what JPEG of quality {jpeg.quality} took counts"
            why = f"noise of std {kept:.3f}, and {why} as noise" if kept else f"{why} as noise"
        elif color is not None:
            std, why = color, "noise alone, for texture has the same detail in all colors"
        else:
            std, why = float(estimate.per_channel[i].square().mean().sqrt()), "texture may be a part of it"
        stds.append(std)
        lines.append(f"{i + 1}. to restore with: noise_std {std:.4f} ({why})")
    return UsableNoise(math.sqrt(sum(std**2 for std in stds) / len(stds)), "\n".join(lines))
