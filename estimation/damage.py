"""What is wrong with a photo, and how sure that is. Where it is not sure, less is taken to be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from .color_noise import color_noise
from .grain import grain
from .jpeg_quality import JPEGTrace, jpeg_trace
from .softness import Softness, softness

LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)  # of BT.601, as JPEG has it
ROUNDED = 0.0012  # std of what 8 bits round off
NOISY = 0.012  # std; clean photos read 0.002 to 0.0105, and noise of 0.02 reads 0.02 to 0.0225
SOFT, SOFT_EVIDENCE = 0.8, 10.0  # px and logarithms of likelihood; sharp photos read up to 0.65 px
CERTAIN = 100.0  # the same
FINE = 40  # JPEG of a lower quality cannot be told from a blur
SOFT_BESIDE_JPEG = 30.0  # the evidence that a blur needs beside a better one, which alone reads up to 10
KEPT_BY_JPEG = 0.25  # cycles per pixel, above which compression leaves too little to judge the blur by
JPEG_WEIGHT = 1.2  # times its error, JPEG is best taken as noise: 1 to 1.4 at qualities 10 to 80


class Damage(NamedTuple):
    """noise: std of white noise on the 0..1 scale. noise, blur: None where the photo does not tell. jpeg: None where
    there is no trace."""

    noise: float | None = None
    jpeg: JPEGTrace | None = None
    blur: Softness | None = None

    @property
    def noisy(self) -> bool:
        return self.noise is not None and self.noise >= NOISY

    @property
    def soft(self) -> bool:
        """Whether it is surely blurred. Beside JPEG, which blurs too, it takes more."""
        if self.blur is None or (self.jpeg and self.jpeg.quality < FINE):
            return False
        return self.blur.std >= SOFT and self.blur.evidence >= (SOFT_BESIDE_JPEG if self.jpeg else SOFT_EVIDENCE)

    @property
    def noise_std(self) -> float:
        """What a restoration should take for the noise: JPEG's error counts as noise, for it does no better as a
        degradation of its own, and many times faster."""
        return math.hypot(self.noise or 0.0, JPEG_WEIGHT * self.jpeg.error if self.jpeg else 0.0)

    def describe(self) -> list[str]:
        """Lines for a person."""
        lines = []
        if self.noise is None:
            lines.append("noise: none that stands out from detail (of a photo without color only strong noise does)")
        elif self.noisy:
            lines.append(f"noise: std {self.noise:.3f}, certain")
        elif self.jpeg:
            lines.append("noise: none that stands out from what JPEG has left")
        else:
            lines.append(f"noise: none to speak of (std {self.noise:.4f})")
        if self.jpeg:
            error = self.jpeg.error
            lines.append(f"JPEG: quality {self.jpeg.quality}, certain; it changed the photo by {error:.3f} (std)")
        else:
            lines.append("JPEG: no trace")
        if self.blur is None:
            lines.append("blur: the photo is too small to tell")
        elif self.soft:
            sure = "certain" if self.blur.evidence >= CERTAIN else "likely"
            shape = "a lens out of focus" if self.blur.disk else "a Gaussian"
            lines.append(f"blur: as of {shape}, std {self.blur.std:.1f} px, {sure}")
        else:
            lines.append(
                f"blur: none that is certain (std {self.blur.std:.1f} px fits best, sharp photos have up to 0.7)"
            )
        return lines


def find_damage(image: Tensor, filled: Tensor, missing: Tensor, steps: Tensor) -> Damage:
    """image: [3, H, W] in 0..1. filled: the same with what is missing filled in. missing: bool [H, W]. steps: JPEG's
    tables of luma, [100, 8, 8], for the qualities from 1 on."""
    image, filled = image.double(), filled.double()
    hidden = missing | ((image == 0) | (image == 1)).any(0)
    luma, jpeg = luma_of(filled), jpeg_trace(luma_of(image), hidden, steps)
    in_color = None if is_gray(image) else color_noise(image, hidden)
    grainy = jpeg.noise if jpeg else grain(luma)
    found = [in_color, kept_in_channels(image, jpeg) if jpeg else grainy]
    noise = max((std for std in found if std is not None), default=None)
    in_luma = max(grainy or 0.0, math.hypot(*LUMA) * max(in_color or 0.0, ROUNDED), jpeg.error if jpeg else 0.0)
    return Damage(noise, jpeg, softness(luma, in_luma**2, KEPT_BY_JPEG if jpeg else 0.5))


def is_gray(image: Tensor) -> bool:
    """Whether all channels of [C, H, W] are alike, beside alpha."""
    return len(image) < 3 or bool((image[:3] == image[:1]).all())


def kept_in_channels(image: Tensor, jpeg: JPEGTrace) -> float | None:
    """Std in each channel of the noise that a JPEG has kept: larger than in luma, which is a mean of channels whose
    noises differ; image: [C, H, W]."""
    return jpeg.noise and jpeg.noise / (1.0 if is_gray(image) else math.hypot(*LUMA))


def luma_of(image: Tensor) -> Tensor:
    """[H, W] of [3, H, W], or of [1, H, W]."""
    return (LUMA.to(image)[:, None, None] * image[:3]).sum(0)


def least(damages: Iterable[Damage]) -> Damage:
    """Of several photos that are restored alike: what is wrong with all of them."""
    noises, traces, blurs = zip(*damages, strict=True)
    return Damage(
        None if None in noises else min(noises),
        None if None in traces else min(traces, key=lambda trace: trace.error),
        None if None in blurs else min(blurs, key=lambda blur: blur.std),
    )
