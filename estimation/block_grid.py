"""Does a photo come from a JPEG file? Then its finest frequencies were rounded, in blocks of 8 x 8 pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

BLOCK = 8
LEAST_SIDE = 64  # below, 64 places of the grid have too few blocks each to be told apart
ROUNDED = 0.65  # JPEG to quality 95 stays below 0.55, but for strong noise; untouched photos of 256 px are above 0.8


def block_grid(grey: Tensor) -> tuple[int, int] | None:
    """Row and column of the first block of a plane [H, W] that was compressed on some 8 x 8 grid and not resized since.

    Each of the 64 places that the grid may have gives every block its highest four cosine coefficients. Rounding sends
    most of them to zero, at the right place only: there their median magnitude is far below what it is elsewhere. (The
    idea that the coefficients' distribution shows a past compression: Fan and de Queiroz, "Identification of bitmap
    compression history", IEEE TIP 2003.) Noise that is stronger than the steps of a high quality hides it; such a
    compression takes little of the noise away.
    """
    if min(grey.shape) < LEAST_SIDE:
        return None
    place = torch.arange(BLOCK)
    rows = [torch.cos(math.pi * (2 * place + 1) * k / (2 * BLOCK)).to(grey) for k in (BLOCK - 2, BLOCK - 1)]
    strength = np.zeros(BLOCK**2)
    for vertical in rows:
        for horizontal in rows:
            coefficients = conv2d(conv2d(grey[None, None], vertical.view(1, 1, -1, 1)), horizontal.view(1, 1, 1, -1))
            coefficients = coefficients[0, 0].abs()
            height, width = (n // BLOCK for n in coefficients.shape)
            blocks = coefficients[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK)
            strength += np.median(blocks.movedim(2, 1).numpy(force=True), (0, 1)).ravel()
    if strength.min() >= ROUNDED * np.median(strength):
        return None
    first = int(strength.argmin())
    return first // BLOCK, first % BLOCK
