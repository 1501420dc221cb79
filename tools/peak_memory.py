"""Peak memory of a run: allocated on the GPU, resident in the process on the CPU (Linux)."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch


def reset_peak() -> float:
    """MiB resident now."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    import psutil

    ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back, else the run would take it unseen
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    return psutil.Process().memory_info().rss / 2**20


def peak() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10
