"""What ComfyUI shows of latents while it samples: a picture an eighth of the size, linear in each latent."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def fit_latent_rgb(latents: Tensor, images: Tensor) -> dict[str, list]:
    """The host's latent_rgb_factors [C][3] and latent_rgb_factors_bias [3], by least squares.

    latents [B, C, h, w] as the model sees them; images [B, 3, H, W] in [-1, 1], which are reduced to h x w by means.
    """
    colors = avg_pool2d(images, images.shape[-1] // latents.shape[-1])
    columns, targets = (x.movedim(1, -1).flatten(0, 2).double().cpu() for x in (latents, colors))
    columns = torch.cat([columns, torch.ones_like(columns[:, :1])], dim=1)
    factors = torch.linalg.lstsq(columns, targets).solution
    rounded = [[round(value, 4) for value in row] for row in factors.tolist()]
    return {"latent_rgb_factors": rounded[:-1], "latent_rgb_factors_bias": rounded[-1]}
