"""Reads weights from .safetensors and PyTorch files: tensors only, whatever the file says."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

PYTORCH_SUFFIXES = (".pt", ".pth", ".ckpt")
PYTORCH_BEGINNINGS = (b"pk", b"\x80")  # a ZIP archive; a pickle, as older versions wrote
IN_PLACE_OF_WEIGHTS = {b"<": "a web page", b"version https://git-lfs": "a pointer of Git LFS"}


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The file's tensors by name, and this pack's own header, empty in files of others.

    The tensors keep the file's memory map. Raises ValueError, in one sentence, for a file that is not of weights.
    """
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", *PYTORCH_SUFFIXES):
        raise ValueError(f"{path.name} is no weights file: use {', '.join(('.safetensors', *PYTORCH_SUFFIXES))}.")
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    for beginning, kind in IN_PLACE_OF_WEIGHTS.items():
        if start.startswith(beginning):
            raise ValueError(f"{path.name} is {kind} in place of the weights: download the file itself.")
    try:
        if suffix == ".safetensors":
            tensors, header = _read_safetensors(path)
        else:
            tensors, header = _tensors(_unpickle(path)), {}
        size = sum(value.numel() * value.element_size() for value in tensors.values())
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower() or not start.startswith(PYTORCH_BEGINNINGS):
            raise ValueError(f"{path.name} is damaged or incomplete; fetch it again.") from None
        raise ValueError(
            f"{path.name} holds Python objects, which could run code, and is not loaded: convert it to .safetensors."
        ) from None
    except Exception:  # whatever it was, in the reader of a file that may hold anything
        raise ValueError(f"{path.name} is damaged or incomplete; fetch it again.") from None
    if size > path.stat().st_size:
        raise ValueError(f"{path.name} asks for more weights than it holds, and is not loaded: fetch it again.")
    return tensors, header


def check_floating(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError for weights that are not what the network computes with, such as quantized ones."""
    for name, value in tensors.items():
        if not (value.is_floating_point() and value.layout == torch.strided and value.device.type == "cpu"):
            kind = str(value.dtype).removeprefix("torch.")
            raise ValueError(
                f"its weight {name!r} is of type {kind}, as after quantization: use a file of float weights"
            )


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {}).get("maprps", "{}"))
        return {name: file.get_tensor(name) for name in file.keys()}, dict(header)


def _unpickle(path: Path) -> object:
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _tensors(state: object) -> dict[str, Tensor]:
    """The state dict itself, or the one in a training checkpoint, averaged weights first."""
    if not isinstance(state, Mapping):
        return {}
    nested = (state.get(name) for name in ("ema", "state_dict", "model"))
    weights = next((part for part in nested if isinstance(part, Mapping)), state)
    return {name: value for name, value in weights.items() if isinstance(name, str) and isinstance(value, Tensor)}
