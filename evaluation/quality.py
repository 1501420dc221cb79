"""Measures of a restored image, one number per image of a batch.

Images are IMAGE tensors [B, H, W, C] and are clipped to 0..1 first: what is judged is the picture that a person sees or
saves. A reference holds one image for each of the batch, or one for all. The work is done in float32 or better.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

WINDOW = 11  # SSIM: pixels, with a Gaussian of standard deviation 1.5


def rmse(image: Tensor, reference: Tensor) -> Tensor:
    """Root of the mean squared error over all pixels and channels: [B], in units of the 0..1 range."""
    image, reference = pair(image, reference)
    return (image - reference).square().mean(dim=(1, 2, 3)).sqrt()


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / MSE), peak 1, MSE over all pixels and channels: [B], in dB."""
    return -20 * rmse(image, reference).log10()


def ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity: [B], at most 1.

    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", IEEE TIP 2004: an 11x11 Gaussian window of standard
    deviation 1.5, K1 = .01, K2 = .03, the mean over the windows that lie inside the image, and over channels.
    """
    try:
        from kornia.metrics import ssim as ssim_map  # takes seconds to import
    except ImportError as error:
        raise ImportError(f"SSIM needs the package kornia (pip install kornia): {error}") from error
    image, reference = pair(image, reference)
    height, width = image.shape[1:3]
    if min(height, width) < WINDOW:
        raise ValueError(f"SSIM needs at least {WINDOW}x{WINDOW} pixels; this image is {width}x{height}.")
    channels_first = image.movedim(-1, 1), reference.expand_as(image).movedim(-1, 1)
    return ssim_map(*channels_first, WINDOW, max_val=1.0, eps=0.0, padding="valid").mean(dim=(1, 2, 3))


def sharpness(image: Tensor) -> Tensor:
    """Mean absolute difference of horizontal neighbours plus that of vertical ones: [B].

    That is the anisotropic total variation per pixel and channel. Noise raises it as well as detail.
    """
    across, down = (differences.abs().mean(dim=1) for differences in gradients(shown(image)))
    return across + down


def gradient_distance(image: Tensor, reference: Tensor) -> Tensor:
    """How far the statistics of fine detail are from the reference's: [B], 0 where they agree.

    The Wasserstein-1 distance between the two images' distributions of horizontal pixel differences, over all pixels
    and channels, plus the same for vertical ones. In one dimension that is the mean distance between sorted values.

    A measure of perception in the sense of Blau & Michaeli ("The Perception-Distortion Tradeoff", CVPR 2018): it
    compares distributions and not pixels, so a smooth restoration scores badly and a sharp one well, even where its
    detail is not that of the reference. It needs no network, and so sees contrast at the finest scale only: it knows
    nothing of objects or structure, noise can pass for texture, and its values cannot be compared with LPIPS or FID.
    It is never less than the difference of the two images' sharpness.
    """
    image, reference = pair(image, reference)
    pairs = zip(gradients(image), gradients(reference), strict=True)
    across, down = ((ordered(a) - ordered(b)).abs().mean(dim=1) for a, b in pairs)
    return (across + down).to(image.device)


def gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of horizontal and of vertical neighbours, each [B, number of differences]."""
    return image.diff(dim=2).flatten(1), image.diff(dim=1).flatten(1)


def ordered(values: Tensor) -> Tensor:
    """Each row sorted, on the CPU. numpy's sort is several times as fast there as torch's, which makes indices too."""
    return torch.from_numpy(np.sort(values.numpy(force=True), axis=1))


def floating(image: Tensor) -> Tensor:
    """The image in float32 or better."""
    return image.to(torch.promote_types(image.dtype, torch.float32))


def shown(image: Tensor) -> Tensor:
    """The image as a person sees it: clipped to 0..1."""
    return floating(image).clamp(0, 1)


def pair(image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Both as shown, on the image's device; the reference may be one for all. ValueError if they do not match."""
    if image.shape[1:] != reference.shape[1:]:
        raise ValueError(
            f"The image is {size(image)} and the reference {size(reference)}: they must be of one size to be compared."
        )
    if len(reference) not in (1, len(image)):
        raise ValueError(
            f"There are {len(image)} images and {len(reference)} references: give one for each, or one for all."
        )
    return shown(image), shown(reference).to(image.device)


def size(image: Tensor) -> str:
    height, width, channels = image.shape[1:]
    return f"{width}x{height} with {channels} channels"
