"""Prompts, as the host encodes them."""

from __future__ import annotations

import comfy.sd


def positive_or_empty(positive: list | None, clip: comfy.sd.CLIP | None) -> list | None:
    """The prompt that is connected, else an empty one of the CLIP that is; None where neither is."""
    if positive is None and clip is not None:
        return clip.encode_from_tokens_scheduled(clip.tokenize(""))
    return positive
