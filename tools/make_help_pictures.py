"""Makes the pictures of the help pages: a photo, and what each degradation makes of it.

python -m tools.make_help_pictures     # writes web/docs/images/*.jpg; needs torch and Pillow
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from maprps.estimation import estimate_blur
from maprps.evaluation.pictures import kernel_picture
from maprps.evaluation.pictures.canvas import to_rgb
from maprps.evaluation.pictures.enlarge import enlarge
from maprps.operators import Degradation
from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.blur import GaussianBlur
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.jpeg import JPEG
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.nonlinear_blur import NonlinearBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.quantization import Quantization
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space_varying_blur import SpaceVaryingBlur
from maprps.operators.spectrum import unseen
from maprps.operators.stack import Stack

ROOT = Path(__file__).absolute().parents[1]
PHOTOS = ROOT / "workflows" / "photos"
SIDE = 224
INSET = 72  # width of a kernel's picture, at most
LARGEST = 25_000  # bytes


def main() -> None:
    save("DegradationInfo", seen_and_unseen(load("astronaut"), CompressedSensing()))
    save("EstimateBlur", blur_found(load("astronaut"), MotionBlur(25.0, 40.0, 0.5, 3)))
    for name, (photo, degradation, noise_std, *kernel) in pictures().items():
        clean = load(photo)
        damaged = shown(clean, degradation, noise_std)
        for inset in kernel:
            damaged = with_inset(damaged, inset)
        save(name, side_by_side(clean, damaged))


def save(name: str, picture: Tensor) -> None:
    data = compress(Image.fromarray((picture * 255).round().byte().numpy()))
    (ROOT / "web" / "docs" / "images" / f"{name}.jpg").write_bytes(data)


def side_by_side(*pictures: Tensor) -> Tensor:
    line = torch.ones(SIDE, 2, 3)
    parts = [part for picture in pictures for part in (line, picture)]
    return torch.cat(parts[1:], 1)


def seen_and_unseen(clean: Tensor, degradation: Degradation) -> Tensor:
    """The photo, the part of it that the degradation sees, and the part that it does not, around mid-grey."""
    lost = unseen(degradation.build(3, SIDE, SIDE), clean.movedim(-1, 0)[None])[0].movedim(0, -1)
    return side_by_side(clean, to_rgb(clean - lost), to_rgb(0.5 + lost))


def blur_found(clean: Tensor, degradation: Degradation) -> Tensor:
    """The photo, and the same damaged, with the kernel that is found in it."""
    damaged = shown(clean, degradation, 0.01)
    return side_by_side(clean, with_inset(damaged, estimate_blur(damaged[None], 25).kernel))


def pictures() -> dict[str, tuple[str, Degradation, float] | tuple[str, Degradation, float, Tensor]]:
    """Node: photo, degradation, noise std and, where it has one, its kernel."""
    holes = Inpainting.from_mask(1 - load("coffee_holes")[..., 3])
    motion, gaussian, anisotropic = MotionBlur(seed=3), GaussianBlur(25, 2.5), AnisotropicGaussianBlur(angle=30.0)
    drawn = KernelBlur.from_array(ring(13))
    shrunk = SuperResolution(4)
    return {
        "Denoising": ("rocket", Denoising(), 0.1),
        "SuperResolution": ("cat", shrunk, 0.02),
        "GaussianBlur": ("pagoda", gaussian, 0.02, gaussian.kernel()),
        "MotionBlur": ("astronaut", motion, 0.02, motion.kernel()),
        "AnisotropicBlur": ("dahlia", anisotropic, 0.02, anisotropic.kernel()),
        "KernelBlur": ("pagoda", drawn, 0.02, drawn.kernel()),
        "SpaceVaryingBlur": ("dahlia", SpaceVaryingBlur(), 0.02),
        "Inpainting": ("coffee", holes, 0.01),
        "BoxInpainting": ("astronaut", BoxInpainting(), 0.01),
        "RandomInpainting": ("cat", RandomInpainting(), 0.01),
        "Colorization": ("dahlia", Colorization(), 0.01),
        "CompressedSensing": ("rocket", CompressedSensing(block=32), 0.01),
        "HDR": ("astronaut", HDR(), 0.02),
        "NonlinearBlur": ("rocket", NonlinearBlur(MotionBlur(20.0, 30.0, 0.0), exposure=2.0), 0.02),
        "PhaseRetrieval": ("pagoda", PhaseRetrieval(), 0.02),
        "JPEG": ("cat", JPEG(), 0.0),
        "Quantization": ("dahlia", Quantization(4), 0.0),
        "ComposeDegradations": ("pagoda", Compose(gaussian, SuperResolution(2)), 0.02),
        "StackDegradations": ("astronaut", Stack(RandomInpainting(0.8), shrunk), 0.02),
    }


def load(photo: str) -> Tensor:
    """The square in the middle: [SIDE, SIDE, 3 or 4] in 0..1."""
    image = torch.from_numpy(np.array(Image.open(PHOTOS / f"{photo}.png")) / np.float32(255))
    return middle(image)[:, (image.shape[1] - SIDE) // 2 :][:, :SIDE]


def middle(image: Tensor) -> Tensor:
    """SIDE rows."""
    return image[(len(image) - SIDE) // 2 :][:SIDE]


def shown(clean: Tensor, degradation: Degradation, noise_std: float) -> Tensor:
    """The measurement as Apply Degradation shows it, enlarged to the photo's height."""
    operator = degradation.build(3, *clean.shape[:2])
    y = operator(clean.movedim(-1, 0)[None])
    y = operator.keep(y + noise_std * torch.randn(y.shape, generator=torch.Generator().manual_seed(0)))
    picture = to_rgb(degradation.view(y.movedim(1, -1))[0])
    return middle(enlarge(picture, max(1, SIDE // len(picture))))


def with_inset(picture: Tensor, kernel: Tensor) -> Tensor:
    """The kernel in a white frame, in the lower right corner."""
    exact = kernel_picture(kernel).exact[0].clamp(0, 1)
    inset = enlarge(exact, max(1, INSET // max(exact.shape[:2])))
    height, width, _ = inset.shape
    picture = picture.clone()
    picture[-height - 2 :, -width - 2 :] = 1
    picture[-height:, -width:] = inset
    return picture


def ring(size: int) -> Tensor:
    """A thin ring, as a mirror lens makes it: [size, size]."""
    offsets = torch.arange(size) - size // 2
    radius = torch.hypot(offsets[:, None].double(), offsets.double())
    return (1 - (radius - 0.75 * (size // 2)).abs() / 2).clamp_min(0)


def compress(picture: Image.Image) -> bytes:
    """JPEG of the best quality within LARGEST."""
    for quality in range(90, 0, -5):
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality)
        if file.tell() <= LARGEST:
            return file.getvalue()
    raise ValueError(f"A picture of {picture.size} does not fit into {LARGEST} bytes.")


if __name__ == "__main__":
    main()
