"""Phase retrieval: only the magnitudes of the image's Fourier transform were measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fft import fft2, fftshift, ifftshift, irfft2, rfft2

from ..linalg import cancel
from ..linalg.seeded import uniform
from .base import Operator
from .degradation import Degradation
from .space import Space

FEEDBACK = 0.9
HYBRID_STEPS = 90
REDUCTION_STEPS = 10


@dataclass(frozen=True)
class PhaseRetrieval(Degradation):
    """y = |F(x - background)| of every channel, on a larger frame of zeros; F is the orthonormal Fourier transform.

    oversample: as DPS (Chung et al., ICLR 2023) and DAPS (Zhang et al., CVPR 2025) count it: every side of the image
    gets floor(oversample / 8 * its length) px of frame, so that their 2 makes 256 px to 384. Frequency zero lies in the
    middle. background: the level around the image, which the Fourier transform takes for zero: 0 (black) in DAPS, 1/2
    in DPS, which transforms 2 x - 1 and so has twice these magnitudes: its noise std of 0.05 is 0.025 here.

    An image turned by 180 degrees has the same magnitudes, and so has one moved in its frame; about a background of 1/2
    the negative as well. The measurement has the size of the frame and is not a picture: for one of middling brightness
    and 256 px, it goes from 0 to 85, at frequency zero.
    """

    oversample: float = 2.0
    background: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.oversample <= 8:
            raise ValueError(f"The oversampling is {self.oversample}: use 0 (no frame) to 8; the field's is 2.")
        if not 0 <= self.background <= 1:
            raise ValueError(f"The background is {self.background}: use 0 (black) to 1 (white).")

    def framed(self, length: int) -> int:
        """Length of a side with its frame."""
        return length + 2 * int(self.oversample / 8 * length)

    def unframed(self, length: int) -> int:
        """The shortest side that is this long with its frame, or longer."""
        return next(n for n in range(1, length + 1) if self.framed(n) >= length)

    def _build(self, space: Space) -> FourierMagnitude:
        return FourierMagnitude(space, (self.framed(space.height), self.framed(space.width)), self.background)

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return self.unframed(height), self.unframed(width)

    def view(self, measurement: Tensor) -> Tensor:
        logarithm = (100 * measurement.clamp_min(0)).log1p()  # magnitudes go over several powers of ten
        return logarithm / logarithm.max().clamp_min(1e-6)

    def describe(self) -> str:
        return f"phase retrieval, oversampling {self.oversample:g}, background {self.background:g}"


class FourierMagnitude(Operator):
    """The gradient is zero where a magnitude is: there it has no direction.

    Image by image, as complex numbers round by their place among a thread's share.
    """

    ambiguous = True

    def __init__(self, space: Space, frame: tuple[int, int], background: float):
        super().__init__(space, (space.channels, *frame))
        self.frame = frame
        self.background = background

    def _forward(self, x: Tensor) -> Tensor:
        spectra = (fft2(one, s=self.frame, norm="ortho") for one in (x - self.background).split(1))
        return torch.cat([fftshift(spectrum.abs(), (-2, -1)) for spectrum in spectra])

    def _initial_guess(self, y: Tensor) -> Tensor:
        """Hybrid input-output from a fixed random picture, then error reduction (Fienup, "Phase retrieval algorithms: a
        comparison", Applied Optics 1982), within the image's border and 0..1.

        On the mean magnitude of the channels, whose result then gives each channel its first phases: found each by
        itself, one channel might be upside down. It is one of the images that fit, not always the upright one.
        """
        return torch.cat([self._retrieve(self._half(one)) for one in y.split(1)])

    def _half(self, y: Tensor) -> Tensor:
        """Magnitudes as rfft2 orders them; opposite frequencies, which are equal but for noise, averaged."""
        y = ifftshift(y, (-2, -1))
        opposite = y.flip(-2, -1).roll((1, 1), (-2, -1))
        return ((y + opposite) / 2)[..., : self.frame[1] // 2 + 1].clamp_min(0)

    def _retrieve(self, magnitude: Tensor) -> Tensor:
        """[1, C, P, Q // 2 + 1] to [1, C, H, W]."""
        height, width = self.image_shape[1:]
        mean = magnitude.mean(1, keepdim=True)
        framed = mean.new_zeros(1, 1, *self.frame)
        framed[..., :height, :width] = torch.from_numpy(uniform(0, height, width)).to(self.dtype)
        framed[..., :height, :width] -= self.background
        for _ in range(HYBRID_STEPS):
            cancel.ask()
            fitted = self._fit(framed, mean)
            allowed = self._confine(fitted)
            framed = torch.where(allowed == fitted, fitted, framed - FEEDBACK * fitted)
        for _ in range(REDUCTION_STEPS):
            cancel.ask()
            framed = self._confine(self._fit(framed, mean))
        for _ in range(REDUCTION_STEPS):
            cancel.ask()
            framed = self._confine(self._fit(framed, magnitude))
        return framed[..., :height, :width] + self.background

    def _fit(self, framed: Tensor, magnitude: Tensor) -> Tensor:
        """The nearest with these magnitudes."""
        phase = rfft2(framed, norm="ortho").angle()
        return irfft2(torch.polar(magnitude, phase.expand_as(magnitude)), s=self.frame, norm="ortho")

    def _confine(self, framed: Tensor) -> Tensor:
        """The nearest that is background outside the image and 0..1 inside."""
        height, width = self.image_shape[1:]
        confined = torch.zeros_like(framed)
        confined[..., :height, :width] = framed[..., :height, :width].clamp(-self.background, 1 - self.background)
        return confined
