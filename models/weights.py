"""Reads weights from .safetensors and PyTorch files: tensors only, whatever the file says."""

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

PYTORCH_SUFFIXES = (".pt", ".pth", ".ckpt")


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The file's tensors by name, and this pack's own header, empty in files of others.

    The tensors keep the file's memory map. Raises ValueError, in one sentence, for a file that is not of weights.
    """
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


def _unpickle(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path.name} holds Python objects, which could run code, and is not loaded: convert it to .safetensors."
        ) from None
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{path.name} is damaged or incomplete; fetch it again ({error}).") from None


def _tensors(state: object) -> dict[str, Tensor]:
    """The state dict itself, or the one in a training checkpoint, averaged weights first."""
    if not isinstance(state, Mapping):
        return {}
    nested = (state.get(name) for name in ("ema", "state_dict", "model"))
    weights = next((part for part in nested if isinstance(part, Mapping)), state)
    return {name: value for name, value in weights.items() if isinstance(value, Tensor)}
