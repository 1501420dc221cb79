"""Reads pixel-space networks from .safetensors and PyTorch files: tensors only, whatever the file says."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .adm import ADM
from .infer_config import STEM, infer_config
from .pixel_network import PixelNetwork
from .preconditioning import DDPM, EDM

PYTORCH_SUFFIXES = (".pt", ".pth", ".ckpt")


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
        network = _build(_strip_prefix(tensors), header.get("norm", "group"), dtype)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}.") from None
    preconditioning = EDM(header["sigma_data"]) if header.get("preconditioning") == "edm" else DDPM()
    return PixelNetwork(network, preconditioning)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The file's tensors by name, and this pack's own header, empty in files of others."""
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                return tensors, json.loads((file.metadata() or {}).get("maprps", "{}"))
        except SafetensorError as error:
            raise ValueError(f"{path.name} is damaged or incomplete; fetch it again ({error}).") from None
    if suffix in PYTORCH_SUFFIXES:
        return _tensors(_unpickle(path)), {}
    raise ValueError(f"{path.name} is no weights file: use {', '.join(('.safetensors', *PYTORCH_SUFFIXES))}.")


def _unpickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path.name} holds Python objects, which could run code, and is not loaded: convert it to .safetensors."
        ) from None
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{path.name} is damaged or incomplete; fetch it again ({error}).") from None


def _tensors(state: Any) -> dict[str, Tensor]:
    """The state dict itself, or the one in a training checkpoint, averaged weights first."""
    if not isinstance(state, Mapping):
        return {}
    for name in ("ema", "state_dict", "model"):
        if isinstance(state.get(name), Mapping):
            state = state[name]
            break
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _strip_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Only the network's tensors, without what wrappers put before their names ("model.", "module.", ...)."""
    prefix = next((name.removesuffix(STEM) for name in tensors if name.endswith(STEM)), "")
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _build(tensors: dict[str, Tensor], norm: str, dtype: torch.dtype) -> ADM:
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    with torch.device("meta"):
        network = ADM(infer_config(shapes, norm))
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = sorted(expected.keys() - shapes.keys())
    unknown = sorted(shapes.keys() - expected.keys())
    misshapen = sorted(name for name in expected.keys() & shapes.keys() if expected[name] != shapes[name])
    if wrong := missing + unknown + misshapen:
        counts = f"{len(missing)} missing, {len(unknown)} unknown, {len(misshapen)} of another shape"
        raise ValueError(f"its weights are not those of an ADM UNet: {counts}, the first of them {wrong[0]!r}")
    network.load_state_dict({name: value.to(dtype) for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)
