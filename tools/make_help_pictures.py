"""Makes the pictures of the help pages: a photo, and what each degradation makes of it.

    python -m tools.make_help_pictures     # writes web/docs/images/*.jpg

What each degradation's picture shows is said in tests/labs/degradations.py. Needs COMFYUI_PATH.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from labs.degradations import EXAMPLES, Picture
from PIL import Image
from torch import Tensor

from maprps.estimation import estimate_blur
from maprps.evaluation.pictures import kernel_picture
from maprps.evaluation.pictures.canvas import to_rgb
from maprps.evaluation.pictures.enlarge import enlarge
from maprps.nodes.restore_photo import RestorePhoto
from maprps.operators import Degradation, LinearOperator
from maprps.operators.blur import GaussianBlur
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.convolution import Blur
from maprps.operators.inpainting import Inpainting
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.spectrum import unseen

ROOT = Path(__file__).absolute().parents[1]
PHOTOS = ROOT / "workflows" / "photos"
SIDE = 224
INSET = 72  # width of a kernel's picture, at most
LARGEST = 25_000  # bytes


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    photos = [load(path.stem)[..., :3] for path in sorted(PHOTOS.glob("*.png")) if path.stem != "coffee_holes"]
    save("ExamplePhoto", torch.cat([side_by_side(*photos[:3]), side_by_side(*photos[3:])]))
    save("RestorePhoto", old_photo_restored())
    save("DegradationInfo", seen_and_unseen(load("astronaut"), CompressedSensing()))
    save("EstimateBlur", blur_found(load("astronaut"), MotionBlur(25.0, 40.0, 0.5, 3)))
    holes = Inpainting.from_mask(1 - load("coffee_holes")[..., 3])
    for picture in (Picture("Inpainting", "coffee", holes, 0.01), *filter(None, (e.picture for e in EXAMPLES))):
        save(picture.page, before_and_after(picture))


def save(name: str, picture: Tensor) -> None:
    data = compress(Image.fromarray((picture * 255).round().byte().numpy()))
    (ROOT / "web" / "docs" / "images" / f"{name}.jpg").write_bytes(data)


def side_by_side(*pictures: Tensor) -> Tensor:
    line = torch.ones(SIDE, 2, 3)
    parts = [part for picture in pictures for part in (line, picture)]
    return torch.cat(parts[1:], 1)


def before_and_after(picture: Picture) -> Tensor:
    """The photo, and the same damaged; a blur's kernel is shown in the corner."""
    clean = load(picture.photo)
    damaged = shown(clean, picture.degradation, picture.noise_std)
    if isinstance(picture.degradation, GaussianBlur | Blur):
        damaged = with_inset(damaged, picture.degradation.kernel())
    return side_by_side(clean, damaged)


def seen_and_unseen(clean: Tensor, degradation: Degradation) -> Tensor:
    """The photo, the part of it that the degradation sees, and the part that it does not, around mid-grey."""
    operator = degradation.build(3, SIDE, SIDE)
    assert isinstance(operator, LinearOperator)
    lost = unseen(operator, clean.movedim(-1, 0)[None])[0].movedim(0, -1)
    return side_by_side(clean, to_rgb(clean - lost), to_rgb(0.5 + lost))


def blur_found(clean: Tensor, degradation: Degradation) -> Tensor:
    """The photo, and the same damaged, with the kernel that is found in it."""
    damaged = shown(clean, degradation, 0.01)
    return side_by_side(clean, with_inset(damaged, estimate_blur(damaged[None], 25).kernel))


def old_photo_restored() -> Tensor:
    """A photo with noise and scratches, and what Restore Photo makes of it without a further word."""
    image = load("coffee_holes")
    photo, mask = image[None, ..., :3], 1 - image[None, ..., 3]
    noisy = photo + 0.06 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    damaged = (torch.where(mask[..., None] > 0.5, 1.0, noisy).clamp(0, 1) * 255).round() / 255
    with torch.inference_mode():
        restored = RestorePhoto.execute(damaged, mask).result[0]
    return side_by_side(damaged[0], to_rgb(restored[0]))


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
