"""A pixel-space network from the weights in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .adm import ADM
from .infer_config import STEM, infer_config
from .pixel_network import PixelNetwork
from .preconditioning import DDPM, EDM
from .weights import check_floating, read_weights


def load_pixel_network(path: str | Path, dtype: torch.dtype = torch.float32) -> PixelNetwork:
    """The guided-diffusion (ADM) UNet in a file, its shape inferred from the weights.

    Networks written by this pack say in the header how they were trained; any other is taken for one of
    guided-diffusion's: it predicts eps, on the linear schedule of 1000 steps. The weights become `dtype`; they keep the
    file's memory map where that is their type already. No weight requires a gradient.

    Raises ValueError, in one sentence, for anything else.
    """
    path = Path(path)
    tensors, header = read_weights(path)
    try:
        preconditioning = _preconditioning(header)
        network = _build(_strip_prefix(tensors), header.get("norm", "group"), dtype)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}.") from None
    return PixelNetwork(network, preconditioning)


def _preconditioning(header: dict[str, Any]) -> DDPM | EDM:
    if header.get("preconditioning") != "edm":
        return DDPM()
    sigma_data = header.get("sigma_data")
    if not (isinstance(sigma_data, (int, float)) and 0 < sigma_data < math.inf):
        raise ValueError(f"its header says that sigma_data is {sigma_data!r}, which should be a number above 0")
    return EDM(sigma_data)


def _strip_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Only the network's tensors, without what wrappers put before their names ("model.", "module.", ...)."""
    prefix = next((name.removesuffix(STEM) for name in tensors if name.endswith(STEM)), "")
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _build(tensors: dict[str, Tensor], norm: str, dtype: torch.dtype) -> ADM:
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    try:
        with torch.device("meta"):
            network = ADM(infer_config(shapes, norm))
    except (ArithmeticError, LookupError, RuntimeError):  # of names that fit with numbers of axes that do not
        raise ValueError("its weights are not those of an ADM UNet: some have another number of axes") from None
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = sorted(expected.keys() - shapes.keys())
    unknown = sorted(shapes.keys() - expected.keys())
    misshapen = sorted(name for name in expected.keys() & shapes.keys() if expected[name] != shapes[name])
    if wrong := missing + unknown + misshapen:
        counts = f"{len(missing)} missing, {len(unknown)} unknown, {len(misshapen)} of another shape"
        raise ValueError(f"its weights are not those of an ADM UNet: {counts}, the first of them {wrong[0]!r}")
    check_floating(tensors)
    network.load_state_dict({name: value.to(dtype) for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)
