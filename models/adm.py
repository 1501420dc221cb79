"""The guided-diffusion (ADM) UNet.

Dhariwal & Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021 (arXiv:2105.05233). Module names follow the
published checkpoints, so that their state dicts load by key. Two small additions serve the embedded prior: a
pixel-unshuffle stem and a normalization over the channels of each pixel, which makes the network's receptive field
finite and its result independent of the image's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


@dataclass(frozen=True)
class ADMConfig:
    """Shape of an ADM UNet.

    model_channels: channels of the sinusoidal time embedding; widths: channels of each level, finest first; blocks:
    residual blocks of each level's encoder (its decoder has one more); attention: for each level, whether its blocks
    attend; head_channels: channels per attention head; unshuffle: pixels folded into channels along each axis before
    the first convolution; out_channels: 3, or 6 where the network also predicts its variance; norm: "group" (as
    published) or "pixel".
    """

    model_channels: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    attention: tuple[bool, ...]
    middle_attention: bool = True
    out_channels: int = 3
    scale_shift: bool = True
    residual_resampling: bool = True
    head_channels: int = 64
    unshuffle: int = 1
    norm: str = "group"

    @property
    def multiple(self) -> int:
        """The network works on sides that are multiples of this number of pixels (others are padded and cropped)."""
        return self.unshuffle * 2 ** (len(self.widths) - 1)

    @property
    def receptive_radius(self) -> int | None:
        """Pixels beyond a block of `multiple` a side that the block depends on, in whole multiples; None of a network
        that attends or normalizes over the image, whose every pixel depends on all others.

        Counted from the output back along the deepest path: a 3x3 convolution adds one pixel of its level, a residual
        block two.
        """
        if self.norm != "pixel" or self.middle_attention or any(self.attention):
            return None
        radius = 1
        for level, blocks in enumerate(self.blocks):
            if level:
                radius = -(-(radius + (2 if self.residual_resampling else 1)) // 2)
            radius += 2 * (blocks + 1)
        radius += 4
        for level, blocks in reversed(list(enumerate(self.blocks))):
            radius += 2 * blocks
            if level:
                radius = 2 * (radius + 2) if self.residual_resampling else 2 * radius + 1
        radius = self.unshuffle * (radius + 1)
        return -(-radius // self.multiple) * self.multiple


class PixelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each pixel of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def normalization(config: ADMConfig, channels: int) -> nn.Module:
    return PixelNorm(channels) if config.norm == "pixel" else nn.GroupNorm(32, channels)


def timestep_embedding(t: Tensor, channels: int) -> Tensor:
    """Sinusoidal embedding of t [B] (fractional steps allowed) as [B, channels]: cosines, then sines."""
    frequencies = torch.exp(torch.arange(channels // 2, device=t.device) * (-2 * math.log(10000) / channels))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class ResBlock(nn.Module):
    def __init__(self, config: ADMConfig, channels: int, out_channels: int, resample: str | None = None):
        super().__init__()
        self.resample = resample
        self.scale_shift = config.scale_shift
        self.in_layers = nn.Sequential(
            normalization(config, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        embedded = out_channels * (2 if config.scale_shift else 1)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(4 * config.model_channels, embedded))
        self.out_layers = nn.Sequential(
            normalization(config, out_channels),
            nn.SiLU(),
            nn.Dropout(0.0),  # keeps the published key out_layers.3 for the convolution
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        norm, act, conv = self.in_layers
        h = act(norm(x))
        if self.resample == "down":
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        elif self.resample == "up":
            h, x = (F.interpolate(v, scale_factor=2.0, mode="nearest") for v in (h, x))
        h = conv(h)
        emb = self.emb_layers(emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = emb.chunk(2, dim=1)
            h = self.out_layers[1:](torch.addcmul(shift, self.out_layers[0](h), 1 + scale))
        else:
            h = self.out_layers(h + emb)
        return self.skip_connection(x) + h


class AttentionBlock(nn.Module):
    """Self-attention over pixels; queries, keys and values lie head by head in the qkv channels."""

    def __init__(self, config: ADMConfig, channels: int):
        super().__init__()
        self.heads = channels // config.head_channels
        self.norm = normalization(config, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x).flatten(2))
        q, k, v = rearrange(qkv, "b (head three c) n -> three b head n c", head=self.heads, three=3)
        h = F.scaled_dot_product_attention(q, k, v)
        h = self.proj_out(rearrange(h, "b head n c -> b (head c) n"))
        return x + h.view_as(x)


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stem(nn.Conv2d):
    """The first convolution; it has no use for the embedding."""

    def forward(self, input: Tensor, emb: Tensor | None = None) -> Tensor:
        return super().forward(input)


class Block(nn.ModuleList):
    """Layers one after the other, each of which is given the embedding."""

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, emb)
        return x


class ADM(nn.Module):
    """The UNet: forward(x, t) maps x [B, 3, H, W] and t [B] to [B, out_channels, H, W], any H and W."""

    def __init__(self, config: ADMConfig):
        super().__init__()
        self.config = config
        embedded = 4 * config.model_channels
        self.time_embed = nn.Sequential(
            nn.Linear(config.model_channels, embedded), nn.SiLU(), nn.Linear(embedded, embedded)
        )
        folded = config.unshuffle**2
        channels = config.widths[0]
        self.input_blocks = nn.ModuleList([Block([Stem(3 * folded, channels, 3, padding=1)])])
        skips = [channels]
        last = len(config.widths) - 1
        for level, width in enumerate(config.widths):
            for _ in range(config.blocks[level]):
                self.input_blocks.append(self._block(channels, width, config.attention[level]))
                channels = width
                skips.append(channels)
            if level < last:
                self.input_blocks.append(Block([self._resample(channels, "down")]))
                skips.append(channels)

        self.middle_block = self._block(channels, channels, config.middle_attention)
        self.middle_block.append(ResBlock(config, channels, channels))

        self.output_blocks = nn.ModuleList()
        for level in range(last, -1, -1):
            width = config.widths[level]
            for i in range(config.blocks[level] + 1):
                block = self._block(channels + skips.pop(), width, config.attention[level])
                channels = width
                if level > 0 and i == config.blocks[level]:
                    block.append(self._resample(channels, "up"))
                self.output_blocks.append(block)
        self.out = nn.Sequential(
            normalization(config, channels), nn.SiLU(), nn.Conv2d(channels, config.out_channels * folded, 3, padding=1)
        )

    def _block(self, channels: int, width: int, attention: bool) -> Block:
        block = Block([ResBlock(self.config, channels, width)])
        if attention:
            block.append(AttentionBlock(self.config, width))
        return block

    def _resample(self, channels: int, direction: str) -> nn.Module:
        if self.config.residual_resampling:
            return ResBlock(self.config, channels, channels, resample=direction)
        return Downsample(channels) if direction == "down" else Upsample(channels)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        multiple = self.config.multiple
        if height % multiple or width % multiple:
            x = F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        emb = self.time_embed(timestep_embedding(t, self.config.model_channels).to(x.dtype))
        h = F.pixel_unshuffle(x, self.config.unshuffle)
        if self.config.norm == "pixel":  # then every layer works on whole pixels: a fifth faster on the CPU
            h = h.contiguous(memory_format=torch.channels_last)
        skips = []
        for block in self.input_blocks:
            h = block(h, emb)
            skips.append(h)
        h = self.middle_block(h, emb)
        for block in self.output_blocks:
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        return F.pixel_shuffle(self.out(h), self.config.unshuffle)[..., :height, :width]
