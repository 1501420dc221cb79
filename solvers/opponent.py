"""Colors in which photographs' channels are close to uncorrelated."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

OPPONENT = ((1, 1, 1), (1, 0, -1), (1, -2, 1))
"""Brightness and two differences of colors, before normalization."""


def opponent(x: Tensor) -> Tensor:
    """[3, 3], orthogonal: the rows mix the channels of x, [B, 3, H, W], to brightness and two differences of colors
    (Ohta et al. 1980, "Color information for region segmentation")."""
    return _opponent(x.dtype, x.device)


@lru_cache(maxsize=4)
def _opponent(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # so that it serves inside that mode and outside
        mixing = torch.tensor(OPPONENT, dtype=dtype, device=device)
        return mixing / mixing.norm(dim=1, keepdim=True)
