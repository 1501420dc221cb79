"""One line in the host's log for each stage: what ran, how much it took, and whether it explains the measurement."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import comfy.model_patcher
import torch
from torch import Tensor

from .denoiser import HostDenoiser
from .vae import HostVAE

_LINES: ContextVar[list[str]] = ContextVar("lines of the stages that the node at work has run")


@contextmanager
def stage_lines() -> Iterator[list[str]]:
    """The lines that are logged while it is open."""
    lines: list[str] = []
    token = _LINES.set(lines)
    try:
        yield lines
    finally:
        _LINES.reset(token)


def log_stage(
    name: str, model: comfy.model_patcher.ModelPatcher, denoise: HostDenoiser, vae: HostVAE | None, residual: Tensor
) -> None:
    """residual: root mean square in units of the noise, of each image."""
    network = type(model.model.diffusion_model).__name__
    parts = [
        f"{network} in {str(model.model_dtype()).removeprefix('torch.')}",
        f"{denoise.calls} model calls",
        f"residual {float(residual.max()):.2f} of the noise",
        f"{time.perf_counter() - denoise.began:.1f} s",
    ]
    if vae is not None:
        parts.insert(2, f"{vae.decodings} decodings{' in tiles' if vae.tiled else ''}")
    if model.load_device.type == "cuda":
        parts.append(f"peak so far {torch.cuda.max_memory_allocated(model.load_device) / 2**30:.1f} GiB")
    line = f"{name}: {', '.join(parts)}"
    logging.info("MAP-RPS, %s", line)
    _LINES.get([]).append(line)
