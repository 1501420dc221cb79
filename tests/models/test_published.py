"""Against guided-diffusion: its naming rules, its published sizes, and outputs that its own code computed."""

import math

import numpy as np
import pytest
import torch

from maprps.models import ADM, ADMConfig
from maprps.models.infer_config import infer_config


def published_shapes(channels, multipliers, blocks, attention, residual_resampling, scale_shift, out_channels):
    """Names and shapes of an unconditional network's weights; `attention` holds the downsampling rates that attend."""
    shapes = {}

    def layer(name, *weight):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]

    def residual_block(name, before, after):
        layer(f"{name}.in_layers.0", before)
        layer(f"{name}.in_layers.2", after, before, 3, 3)
        layer(f"{name}.emb_layers.1", 2 * after if scale_shift else after, 4 * channels)
        layer(f"{name}.out_layers.0", after)
        layer(f"{name}.out_layers.3", after, after, 3, 3)
        if before != after:
            layer(f"{name}.skip_connection", after, before, 1, 1)

    def attention_block(name, width):
        layer(f"{name}.norm", width)
        layer(f"{name}.qkv", 3 * width, width, 1)
        layer(f"{name}.proj_out", width, width, 1)

    def resampler(name, convolution, width):
        if residual_resampling:
            residual_block(name, width, width)
        else:
            layer(f"{name}.{convolution}", width, width, 3, 3)

    layer("time_embed.0", 4 * channels, channels)
    layer("time_embed.2", 4 * channels, 4 * channels)
    widths = [int(channels * multiplier) for multiplier in multipliers]
    width, skips = widths[0], [widths[0]]
    layer("input_blocks.0.0", width, 3, 3, 3)
    for level, after in enumerate(widths):
        for _ in range(blocks):
            residual_block(f"input_blocks.{len(skips)}.0", width, after)
            if 2**level in attention:
                attention_block(f"input_blocks.{len(skips)}.1", after)
            width = after
            skips.append(width)
        if level + 1 < len(widths):
            resampler(f"input_blocks.{len(skips)}.0", "op", width)
            skips.append(width)

    residual_block("middle_block.0", width, width)
    attention_block("middle_block.1", width)
    residual_block("middle_block.2", width, width)

    index = 0
    for level, after in reversed(list(enumerate(widths))):
        for i in range(blocks + 1):
            residual_block(f"output_blocks.{index}.0", width + skips.pop(), after)
            width = after
            if 2**level in attention:
                attention_block(f"output_blocks.{index}.1", width)
            if level and i == blocks:
                resampler(f"output_blocks.{index}.{2 if 2**level in attention else 1}", "conv", width)
            index += 1
    layer("out.0", width)
    layer("out.2", out_channels, width, 3, 3)
    return shapes


IMAGENET_256 = published_shapes(256, (1, 1, 2, 2, 4, 4), 2, {8, 16, 32}, True, True, 6)
"""256x256_diffusion_uncond.pt (Dhariwal and Nichol 2021; attention at 32, 16 and 8 pixels)."""

FFHQ_256 = published_shapes(128, (1, 1, 2, 2, 4, 4), 1, {16}, True, True, 6)
"""ffhq_10m.pt (Chung et al. 2023, "DPS"; attention at 16 pixels)."""

IMAGENET_512 = published_shapes(256, (0.5, 1, 1, 2, 2, 4, 4), 2, {16, 32, 64}, True, True, 6)
"""The 512 px family, whose first level is half as wide."""


def shapes_of(config):
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in ADM(config).state_dict().items()}


def test_published_sizes():
    """Parameter and tensor counts of the networks as guided-diffusion builds them."""
    for shapes, tensors, parameters in ((IMAGENET_256, 566, 552_814_086), (FFHQ_256, 362, 93_563_910)):
        assert len(shapes) == tensors
        assert sum(math.prod(shape) for shape in shapes.values()) == parameters


@pytest.mark.parametrize(
    ("shapes", "config"),
    [
        (
            IMAGENET_256,
            ADMConfig(
                model_channels=256,
                widths=(256, 256, 512, 512, 1024, 1024),
                blocks=(2, 2, 2, 2, 2, 2),
                attention=(False, False, False, True, True, True),
                out_channels=6,
            ),
        ),
        (
            FFHQ_256,
            ADMConfig(
                model_channels=128,
                widths=(128, 128, 256, 256, 512, 512),
                blocks=(1, 1, 1, 1, 1, 1),
                attention=(False, False, False, False, True, False),
                out_channels=6,
            ),
        ),
        (
            IMAGENET_512,
            ADMConfig(
                model_channels=256,
                widths=(128, 256, 256, 512, 512, 1024, 1024),
                blocks=(2, 2, 2, 2, 2, 2, 2),
                attention=(False, False, False, False, True, True, True),
                out_channels=6,
            ),
        ),
    ],
)
def test_published_networks(shapes, config):
    assert infer_config(shapes) == config
    assert shapes_of(config) == shapes


@pytest.mark.parametrize("residual_resampling", [True, False])
@pytest.mark.parametrize("scale_shift", [True, False])
@pytest.mark.parametrize("out_channels", [3, 6])
@pytest.mark.parametrize("attention", [(), (1,), (2, 4), (1, 2, 4)])
def test_variants(residual_resampling, scale_shift, out_channels, attention):
    shapes = published_shapes(64, (1, 2, 3), 2, attention, residual_resampling, scale_shift, out_channels)
    assert infer_config(shapes) == ADMConfig(
        model_channels=64,
        widths=(64, 128, 192),
        blocks=(2, 2, 2),
        attention=tuple(rate in attention for rate in (1, 2, 4)),
        out_channels=out_channels,
        scale_shift=scale_shift,
        residual_resampling=residual_resampling,
    )
    assert shapes_of(infer_config(shapes)) == shapes


@pytest.mark.parametrize(
    "config",
    [
        ADMConfig(48, (48, 72, 112), (1, 1, 2), (False,) * 3, False, unshuffle=2, norm="pixel"),
        ADMConfig(32, (64,), (3,), (True,), False, out_channels=6, scale_shift=False, unshuffle=4),
        ADMConfig(32, (32, 64), (3, 1), (False, True), residual_resampling=False, unshuffle=2),
    ],
)
def test_own_additions(config):
    """Blocks that differ by level, no attention in the middle, a pixel-unshuffle stem."""
    assert infer_config(shapes_of(config), config.norm) == config


@pytest.mark.parametrize(
    ("shapes", "first", "second"),
    [
        (
            published_shapes(32, (1, 2, 2), 2, {2, 4}, True, True, 6),
            [-0.52191, 0.23145, -0.31107, 1.57747, 0.72591, 0.43851],
            [-1.02390, -0.03826, 0.22058, 0.10624, -0.76462, -0.04443],
        ),
        (
            published_shapes(64, (1, 1, 2), 1, {1, 4}, False, False, 3),
            [-0.98886, -0.14943, 0.43042],
            [0.30662, 0.46473, 0.21326],
        ),
    ],
    ids=["residual-resampling", "convolutions"],
)
def test_output_of_the_original_code(shapes, first, second, random_weights):
    """The numbers are what guided-diffusion's own UNet gives for these weights and this input, at two pixels."""
    network = ADM(infer_config(shapes))
    network.load_state_dict(random_weights(shapes))
    x = torch.from_numpy(np.random.RandomState(1).standard_normal((2, 3, 16, 24))).float()
    with torch.no_grad():
        y = network(x, torch.tensor([3.0, 700.0]))
    assert y.shape == (2, len(first), 16, 24)
    torch.testing.assert_close(y[0, :, 5, 7], torch.tensor(first), atol=2e-5, rtol=0)
    torch.testing.assert_close(y[1, :, -1, -1], torch.tensor(second), atol=2e-5, rtol=0)
