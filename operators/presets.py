"""The degradations of published experiments, by name, with their noise in image units.

Read off the public code of DPS (Chung et al., ICLR 2023), DAPS (Zhang et al., CVPR 2025), DDRM (Kawar et al., NeurIPS
2022), DDNM (Wang et al., ICLR 2023) and MAP-RPS (Zhang et al., ICML 2026), all for RGB images of 256 x 256, those of
MAP-RPS on Stable Diffusion for 512 x 512.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .anisotropic_blur import AnisotropicGaussianBlur
from .blur import GaussianBlur
from .box_inpainting import BoxInpainting
from .colorization import Colorization
from .compressed_sensing import CompressedSensing
from .degradation import Degradation
from .denoising import Denoising
from .hdr import HDR
from .motion_blur import MotionBlur
from .phase_retrieval import PhaseRetrieval
from .random_inpainting import RandomInpainting
from .released_inpainting import ReleasedInpainting
from .resampling import SuperResolution


@dataclass(frozen=True)
class Preset:
    """published_noise: the std as the source gives it, for images in the range `units`. remark: what differs here."""

    source: str
    degradation: Degradation
    published_noise: float
    units: Literal["-1..1", "0..1"]
    remark: str = ""

    @property
    def noise_std(self) -> float:
        """For images in 0..1."""
        return self.published_noise / (2 if self.units == "-1..1" else 1)

    def seeded(self, seed: int) -> Preset:
        """The same with the seed of its random part, where it has one."""
        changes = {"seed": seed} if hasattr(self.degradation, "seed") else {}
        return replace(self, degradation=replace(self.degradation, **changes))

    def describe(self) -> str:
        """What it is, its noise and how that was converted, its source, and what differs."""
        noise = f"noise_std {self.noise_std:g}: published as {self.published_noise:g} for images in {self.units}"
        noise += ", which are twice as wide as 0..1" if self.units == "-1..1" else ", as here"
        lines = [self.degradation.describe(), noise, f"source: {self.source}"]
        return "\n".join(lines + [f"here: {self.remark}"] if self.remark else lines)


FLAT = 1e6  # px: a Gaussian that wide is the same everywhere on a small kernel, to 11 digits

EDGE = "the mirrored border repeats the edge pixel, there it does not"
PATH = f"61 px of kernel and intensity 0.5 there; the path is drawn by this pack's own law; {EDGE}"
PLACE = "the box is in the middle; there it lies at a random place, 16 px or more from the border"
BLUR = (
    "the blur itself; the released code leaves out the kernel's last row and column and applies its singular values to "
    "other frequencies than they belong to"
)
ROWS = "pixels are scrambled before the transform, there they are not; random rows in both"

DPS = "DPS, its configuration files"
DAPS = "DAPS, its pixel-space task files"
DDRM = "DDRM, its code and the noise of its example"
DDNM = "DDNM, its evaluation script"
MAP_RPS = "MAP-RPS, its pixel-space FFHQ scripts"
LMAP_RPS = "MAP-RPS, its Stable Diffusion script"

PRESETS: dict[str, Preset] = {
    "DPS super-resolution x4": Preset(DPS, SuperResolution(4), 0.05, "-1..1"),
    "DPS Gaussian deblurring": Preset(DPS, GaussianBlur(61, 3.0), 0.05, "-1..1", EDGE),
    "DPS motion deblurring": Preset(DPS, MotionBlur(), 0.05, "-1..1", PATH),
    "DPS inpainting, box": Preset(DPS, BoxInpainting(), 0.05, "-1..1", PLACE),
    "DPS inpainting, random": Preset(
        DPS,
        RandomInpainting(0.5),
        0.05,
        "-1..1",
        "half of the pixels is missing; there 30 to 70 %, drawn for each image",
    ),
    "DPS phase retrieval": Preset(DPS, PhaseRetrieval(2.0, 0.5), 0.05, "-1..1"),
    "DAPS super-resolution x4": Preset(DAPS, SuperResolution(4), 0.05, "-1..1"),
    "DAPS Gaussian deblurring": Preset(DAPS, GaussianBlur(61, 3.0), 0.05, "-1..1", EDGE),
    "DAPS motion deblurring": Preset(DAPS, MotionBlur(), 0.05, "-1..1", PATH),
    "DAPS inpainting, box": Preset(DAPS, BoxInpainting(), 0.05, "-1..1", PLACE),
    "DAPS inpainting, random": Preset(
        DAPS, RandomInpainting(0.7), 0.05, "-1..1", "70 % of the pixels are missing; there 70 to 71 %"
    ),
    "DAPS HDR": Preset(DAPS, HDR(2.0), 0.05, "-1..1"),
    "DAPS phase retrieval": Preset(DAPS, PhaseRetrieval(2.0, 0.0), 0.05, "0..1"),
    "DDRM sr4": Preset(DDRM, SuperResolution(4, "box"), 0.05, "0..1"),
    "DDRM deblur_uni": Preset(DDRM, GaussianBlur(9, FLAT, "zero"), 0.05, "0..1", f"a flat 9x9 kernel; {BLUR}"),
    "DDRM deblur_gauss": Preset(DDRM, GaussianBlur(5, 10.0, "zero"), 0.05, "0..1", BLUR),
    "DDRM inp": Preset(DDRM, RandomInpainting(0.5), 0.05, "0..1"),
    "DDRM color": Preset(DDRM, Colorization("mean"), 0.05, "0..1"),
    "DDRM deno": Preset(DDRM, Denoising(), 0.05, "0..1"),
    "DDRM cs2": Preset(DDRM, CompressedSensing(2.0), 0.05, "0..1", ROWS),
    "DDNM sr_bicubic x4": Preset(DDNM, SuperResolution(4), 0.0, "0..1"),
    "DDNM sr_averagepooling x4": Preset(DDNM, SuperResolution(4, "box"), 0.0, "0..1"),
    "DDNM sr_averagepooling x16, noisy": Preset(DDNM, SuperResolution(16, "box"), 0.2, "0..1"),
    "DDNM deblur_gauss": Preset(DDNM, GaussianBlur(5, 10.0, "zero"), 0.0, "0..1", BLUR),
    "DDNM colorization": Preset(DDNM, Colorization("mean"), 0.0, "0..1"),
    "DDNM cs_walshhadamard 0.25": Preset(DDNM, CompressedSensing(4.0), 0.0, "0..1", ROWS),
    "DDNM cs_walshhadamard 0.25, noisy": Preset(DDNM, CompressedSensing(4.0), 0.2, "0..1", ROWS),
    "MAP-RPS denoise": Preset(MAP_RPS, Denoising(), 0.3, "-1..1"),
    "MAP-RPS sr4": Preset(MAP_RPS, SuperResolution(4, "box"), 0.1, "0..1"),
    "MAP-RPS inp, as released (1/6 of the entries, in the upper third)": Preset(
        MAP_RPS, ReleasedInpainting(), 0.1, "0..1"
    ),
    "MAP-RPS inp, as meant (half of the pixels)": Preset(
        MAP_RPS,
        RandomInpainting(0.5),
        0.1,
        "0..1",
        "half of the pixels, as the code intends; it hides a sixth of the entries",
    ),
    "MAP-RPS deblur_aniso": Preset(
        MAP_RPS,
        AnisotropicGaussianBlur(9, 20.0, 1.0, 0.0, "zero"),
        0.0,
        "-1..1",
        BLUR,
    ),
    "MAP-RPS sr4, Stable Diffusion": Preset(LMAP_RPS, SuperResolution(4, "box"), 0.05, "0..1"),
    "MAP-RPS deblur_aniso, Stable Diffusion": Preset(
        LMAP_RPS,
        AnisotropicGaussianBlur(9, 20.0, 1.0, 0.0, "zero"),
        0.05,
        "-1..1",
        BLUR,
    ),
    "MAP-RPS cs2, Stable Diffusion": Preset(LMAP_RPS, CompressedSensing(2.0), 0.05, "-1..1", ROWS),
    "MAP-RPS hdr, Stable Diffusion": Preset(LMAP_RPS, HDR(2.0), 0.05, "-1..1"),
}
