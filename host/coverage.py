"""Prompts for a part of the picture or of the noise levels: together they have to cover what the model is asked for."""

from __future__ import annotations

import torch
from torch import Tensor


def check_coverage(guider, x: Tensor, sigma: Tensor) -> None:
    """Raises ValueError where no prompt is for some part of x, [B, C, ..., h, w], at this sigma of the host's.

    There the host's denoised image would be zero, which is no denoiser's and has no gradient. guider: with the prompts
    as the host has prepared them, which resolves areas, masks and noise levels.
    """
    conds = getattr(guider, "conds", {})
    for name in ("positive", "negative") if getattr(guider, "cfg", 1) != 1 else ("positive",):
        if entries := conds.get(name):
            if not _cover([entry for entry in entries if _is_active(entry, sigma)], x):
                raise ValueError(
                    f"Some part of the picture has no prompt in '{name}' at some noise level: join one for all of the "
                    "picture and all of the time to it with 'Conditioning (Combine)'."
                )


def _is_active(entry: dict, sigma: Tensor) -> bool:
    if "timestep_start" not in entry and "timestep_end" not in entry:
        return True
    return entry.get("timestep_end", 0) <= float(sigma[0]) <= entry.get("timestep_start", float("inf"))


def _cover(entries: list[dict], x: Tensor) -> bool:
    if any("area" not in entry and "mask" not in entry for entry in entries):
        return True
    covered = torch.zeros(x.shape[-2:], dtype=torch.bool)
    for entry in entries:
        part = torch.zeros_like(covered)
        sizes, starts = (half[-2:] for half in _halves(entry.get("area", (*x.shape[-2:], 0, 0))))
        part[starts[0] : starts[0] + sizes[0], starts[1] : starts[1] + sizes[1]] = True
        if "mask" in entry:
            part &= (entry["mask"] > 0).flatten(0, -3).all(0).cpu()
        covered |= part
    return bool(covered.all())


def _halves(area: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and starts, by axis."""
    return area[: len(area) // 2], area[len(area) // 2 :]
