"""Restore Photo on photos that are damaged in known ways: PSNR before and after, and what it took for wrong.

    python -m tools.study_restore_photo --images DIR --size 128

Central crops, damaged and stored with 8 bits. Before is the damaged photo; a mask's pixels filled in smoothly; bicubic
where it is enlarged. Needs COMFYUI_PATH.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from maprps.evaluation import psnr
from maprps.launch.photo import scribbles
from maprps.nodes.restore_photo import RestorePhoto
from maprps.operators import Degradation
from maprps.operators.blur import GaussianBlur
from maprps.operators.inpainting import Inpainting
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.resampling import SuperResolution

Damage = Callable[[Tensor], Tensor]


def through(degradation: Degradation) -> Damage:
    def damage(image: Tensor) -> Tensor:
        operator = degradation.build(3, *image.shape[1:3])
        return operator(image.movedim(-1, 1)).movedim(1, -1)

    return damage


def noise(std: float) -> Damage:
    return lambda image: image + std * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def jpeg(quality: int) -> Damage:
    def damage(image: Tensor) -> Tensor:
        file = io.BytesIO()
        Image.fromarray((image[0].clamp(0, 1) * 255).round().byte().numpy()).save(file, "JPEG", quality=quality)
        return torch.from_numpy(np.asarray(Image.open(file)) / np.float32(255))[None]

    return damage


def scratches(image: Tensor) -> Tensor:
    return torch.where(mask_of(image)[..., None] > 0.5, 1.0, image)


def mask_of(image: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(scribbles(image.shape[2], image.shape[1])) / np.float32(255))[None]


def disk(radius: float) -> KernelBlur:
    """Out of focus: a disk, of a std of half its radius in each direction."""
    offsets = torch.arange(-4, 5)[:, None] + torch.linspace(-0.45, 0.45, 10)
    square = offsets.flatten().square()
    inside = (square[:, None] + square <= radius**2).float().view(9, 10, 9, 10).mean((1, 3))
    return KernelBlur.from_array(inside / inside.sum())


SOFT, SHRUNK = through(GaussianBlur(13, 1.5)), through(SuperResolution(2))
CASES: dict[str, tuple[list[Damage], int]] = {  # damages one after the other, and how much it is enlarged
    "clean": ([], 1),
    "clean x2": ([SHRUNK], 2),
    "clean x4": ([through(SuperResolution(4))], 4),
    "noise .02": ([noise(0.02)], 1),
    "noise .08": ([noise(0.08)], 1),
    "noise .08 x2": ([SHRUNK, noise(0.08)], 2),
    "JPEG q20": ([jpeg(20)], 1),
    "JPEG q60": ([jpeg(60)], 1),
    "JPEG q90": ([jpeg(90)], 1),
    "JPEG q60 x2": ([SHRUNK, jpeg(60)], 2),
    "Gaussian std 1.5": ([SOFT], 1),
    "disk of std 1.5": ([through(disk(3.0))], 1),
    "Gaussian, noise .02": ([SOFT, noise(0.02)], 1),
    "Gaussian, noise .08": ([SOFT, noise(0.08)], 1),
    "Gaussian, JPEG q60": ([SOFT, jpeg(60)], 1),
    "disk, JPEG q60": ([through(disk(3.0)), jpeg(60)], 1),
    "Gaussian x2": ([SHRUNK, SOFT], 2),
    "scratches": ([scratches], 1),
    "scratches x2": ([SHRUNK, scratches], 2),
    "scratches, noise .08": ([noise(0.08), scratches], 1),
    "scratches, JPEG q60": ([scratches, jpeg(60)], 1),
    "old photo": ([SOFT, noise(0.04), scratches], 1),
    "old photo, JPEG q60": ([SOFT, noise(0.02), scratches, jpeg(60)], 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128, help="of the damaged photo, in pixels")
    parser.add_argument("--every", type=int, default=3, help="take every so-manieth photo")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    chosen = parser.parse_args()
    files = sorted(chosen.images.glob("*.png"))[:: chosen.every]
    for name in chosen.cases:
        rows = [study(file, name, chosen.size) for file in files]
        before, after = (torch.tensor(column) for column in list(zip(*rows, strict=True))[:2])
        gain = after - before
        print(
            f"{name:22s} before {before.mean():6.2f}  after {after.mean():6.2f}  gain {gain.mean():+6.2f}, "
            f"least {gain.min():+6.2f}   {rows[int(gain.argmin())][2]}",
            flush=True,
        )


def study(file: Path, name: str, size: int) -> tuple[float, float, str]:
    """PSNR before and after, and what was taken to be wrong."""
    damages, factor = CASES[name]
    truth = crop(file, size * factor)
    image = truth
    for damage in damages:
        image = (damage(image).clamp(0, 1) * 255).round() / 255
    mask = mask_of(image) if scratches in damages else None
    result, text, *_ = RestorePhoto.execute(image, mask, f"x{factor}").result
    plain = image.movedim(-1, 1)
    if mask is not None:
        plain = Inpainting.from_mask(mask).build(3, *mask.shape[1:]).initial_guess(plain)
    if factor > 1:
        plain = interpolate(plain, scale_factor=factor, mode="bicubic", align_corners=False)
    found = [line for line in text.splitlines() if line.startswith(("restored", "nothing"))]
    # An untouched photo has no error to speak of; 60 dB is below the rounding of its values.
    before, after = (float(psnr(x, truth).clamp_max(60)) for x in (plain.movedim(1, -1), result))
    return before, after, f"{file.stem}: {found[0]}"


def crop(file: Path, size: int) -> Tensor:
    """The middle of a photo, as IMAGE."""
    image = Image.open(file).convert("RGB")
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return torch.from_numpy(np.asarray(image.crop((left, top, left + size, top + size))) / np.float32(255))[None]


if __name__ == "__main__":
    main()
