"""The embedded prior: a small ADM network with EDM preconditioning, shipped beside this file (see README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from .adm import ADM, ADMConfig
from .checkpoint import load_pixel_network
from .pixel_network import PixelNetwork
from .preconditioning import EDM

NAME = "MAP-RPS embedded prior"
PATH = Path(__file__).with_name("embedded_prior.safetensors")
PRECONDITIONING = EDM(sigma_data=0.5)
CONFIG = ADMConfig(
    model_channels=48,
    widths=(48, 96, 160),
    blocks=(1, 2, 3),
    attention=(False, False, False),
    middle_attention=False,
    residual_resampling=False,
    unshuffle=2,
    norm="pixel",
)


def load_embedded() -> PixelNetwork:
    """The embedded prior in float32. Raises FileNotFoundError where its file is not there."""
    return load_pixel_network(PATH)


def save_embedded(network: ADM, path: Path, images: int) -> None:
    """Write the weights as fp16, with what their shapes do not say in the header."""
    header = {
        "norm": network.config.norm,
        "preconditioning": "edm",
        "sigma_data": PRECONDITIONING.sigma_data,
        "images": images,
    }
    tensors = {key: value.to(torch.float16).contiguous() for key, value in network.state_dict().items()}
    save_file(tensors, path, metadata={"maprps": json.dumps(header)})
