"""The configuration of an ADM UNet, read off the names and shapes of its weights."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from .adm import ADMConfig

STEM = "input_blocks.0.0.weight"
Shapes = Mapping[str, tuple[int, ...]]


def infer_config(shapes: Shapes, norm: str = "group") -> ADMConfig:
    """The configuration of the network that has weights of these names and shapes.

    Shapes cannot tell the kind of normalization (norm), nor the number of attention heads: 64 channels each, as in the
    published unconditional networks. Raises ValueError for anything but an unconditional ADM UNet of RGB images; that
    all of its weights are there and fit is for the caller to check.
    """
    for name in ("time_embed.0.weight", STEM, "output_blocks.0.0.out_layers.3.weight", "out.2.weight"):
        if name not in shapes:
            raise ValueError(f"this is not a guided-diffusion (ADM) UNet, it has no weight {name!r}")
    if "label_emb.weight" in shapes:
        raise ValueError("the network is class-conditional; only unconditional ones can serve as a prior here")
    for name, shape in shapes.items():
        if name.endswith(".qkv.weight") and shape[1] % ADMConfig.head_channels:
            raise ValueError(f"the network attends over {shape[1]} channels, which are not whole heads of 64")

    unshuffle = _unshuffle(shapes[STEM][1])
    out_channels = shapes["out.2.weight"][0] // unshuffle**2
    if out_channels not in (3, 6):
        raise ValueError(f"the network predicts {out_channels} channels; for RGB it has 3, or 6 with learned variance")

    levels = _decoder_levels(shapes)[::-1]
    widths = tuple(shapes[f"{level[0]}.0.out_layers.3.weight"][0] for level in levels)
    return ADMConfig(
        model_channels=shapes["time_embed.0.weight"][1],
        widths=widths,
        blocks=tuple(len(level) - 1 for level in levels),
        attention=tuple(f"{level[0]}.1.qkv.weight" in shapes for level in levels),
        middle_attention="middle_block.1.qkv.weight" in shapes,
        out_channels=out_channels,
        scale_shift=shapes.get("output_blocks.0.0.emb_layers.1.bias") == (2 * widths[-1],),
        residual_resampling=not any(name.endswith(".op.weight") for name in shapes),
        unshuffle=unshuffle,
        norm=norm,
    )


def _unshuffle(channels: int) -> int:
    for factor in (1, 2, 4, 8):
        if channels == 3 * factor**2:
            return factor
    raise ValueError(f"the network takes images of {channels} channels; only those of RGB pixels can be used here")


def _decoder_levels(shapes: Shapes) -> list[list[str]]:
    """The names of the decoder's blocks, level by level, coarsest first. A level ends with the block that upsamples."""
    levels: list[list[str]] = [[]]
    for index in itertools.count():
        block = f"output_blocks.{index}"
        if f"{block}.0.out_layers.3.weight" not in shapes:
            break
        levels[-1].append(block)
        upsamplers = (f"{block}.{layer}.{kind}.weight" for layer in (1, 2) for kind in ("in_layers.2", "conv"))
        if any(name in shapes for name in upsamplers):
            levels.append([])
    return [level for level in levels if level]
