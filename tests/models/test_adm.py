"""The network's parts against their formulas, and what it promises about image sizes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from maprps.models import ADMConfig
from maprps.models.adm import AttentionBlock, PixelNorm, normalization, timestep_embedding

SMALL = ADMConfig(
    model_channels=16,
    widths=(8, 16),
    blocks=(1, 1),
    attention=(False, False),
    middle_attention=False,
    residual_resampling=False,
    unshuffle=2,
    norm="pixel",
)
GROUPED = ADMConfig(model_channels=32, widths=(32, 64), blocks=(1, 1), attention=(False, True), out_channels=6)


def test_timestep_embedding():
    """cos(t w_k), then sin(t w_k), w_k = 10000^(-k/half), for fractional and negative t as well."""
    t = torch.tensor([0.0, 1.0, 12.5, -20.0, 999.0])
    expected = [[f(s * 10000 ** (-k / 8)) for f in (math.cos, math.sin) for k in range(8)] for s in t.tolist()]
    torch.testing.assert_close(timestep_embedding(t, 16), torch.tensor(expected), atol=1e-4, rtol=0)


def test_attention_is_softmax_attention_over_pixels():
    """Each head owns consecutive channels of qkv: 64 queries, 64 keys, 64 values; scores over sqrt(64)."""
    block = AttentionBlock(GROUPED, 128)
    x = torch.randn(2, 128, 3, 5)
    with torch.no_grad():
        got = block(x, torch.zeros(2, 1))
        qkv = block.qkv(block.norm(x).reshape(2, 128, 15))
        heads = []
        for head in qkv.split(192, dim=1):
            q, k, v = head.split(64, dim=1)
            scores = torch.stack([torch.stack([(q[..., i] * k[..., j]).sum(1) for j in range(15)]) for i in range(15)])
            weights = (scores / 8).softmax(dim=1)  # [query, key, batch]
            heads.append(torch.einsum("ijb,bcj->bci", weights, v))
        expected = x + block.proj_out(torch.cat(heads, dim=1)).view_as(x)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_pixel_norm():
    """Zero mean and unit variance over the channels of each pixel, then an affine map."""
    norm = PixelNorm(6)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
        x = 3 + 5 * torch.randn(2, 6, 4, 7)
        centered = x - x.mean(1, keepdim=True)
        unit = centered / (centered.square().mean(1, keepdim=True) + 1e-5).sqrt()
        torch.testing.assert_close(norm(x), unit * norm.weight.view(6, 1, 1) + norm.bias.view(6, 1, 1))


@pytest.mark.parametrize("config", [SMALL, GROUPED], ids=["pixel", "group"])
def test_norms_of_half_precision_are_computed_in_single(config):
    """Squares of such values overflow half precision; guided-diffusion normalizes in float32 for this reason."""
    norm = normalization(config, 64).requires_grad_(False)
    x = (2000 * torch.randn(1, 64, 8, 8)).half()
    torch.testing.assert_close(norm.half()(x).float(), norm.float()(x.float()), atol=2e-3, rtol=1e-3)


def test_half_precision(random_network):
    network = random_network(GROUPED)
    x, t = torch.randn(1, 3, 8, 8), torch.tensor([500.0])
    expected = network(x, t)
    got = network.half()(x.half(), t).float()
    assert (got - expected).norm() < 5e-3 * expected.norm()


@pytest.mark.parametrize("config", [SMALL, GROUPED], ids=["pixel", "group"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (8, 11), (16, 12)])
def test_any_size(config, size, random_network):
    """Sides that are no multiple of config.multiple are continued by their last row and column, and cropped."""
    network = random_network(config)
    x, t = torch.randn(2, 3, *size), torch.tensor([3.0, -8.0])
    y = network(x, t)
    assert y.shape == (2, config.out_channels, *size)
    extra = [(0, -side % config.multiple) for side in size]
    padded = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), *extra], mode="edge"))
    torch.testing.assert_close(y, network(padded, t)[..., : size[0], : size[1]], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("config", "multiple"), [(SMALL, 4), (GROUPED, 2)], ids=["pixel", "group"])
def test_multiple(config, multiple):
    assert config.multiple == multiple


def test_a_tile_sees_what_the_whole_image_sees(random_network):
    """With PixelNorm the receptive field is finite: with enough around it, a tile gives the whole image's pixels."""
    network = random_network(SMALL)
    x, t = torch.randn(1, 3, 128, 160), torch.tensor([2.0])
    whole = network(x, t)
    margin = receptive_radius(network)
    top, left, size = 32 + margin, 48 + margin, 8
    tile = network(x[..., top - margin : top + size + margin, left - margin : left + size + margin], t)
    torch.testing.assert_close(
        tile[..., margin : margin + size, margin : margin + size],
        whole[..., top : top + size, left : left + size],
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("resampling", [False, True])
def test_receptive_radius(resampling, random_network):
    """As gradients find it; none where a network attends or normalizes over the image."""
    config = replace(SMALL, residual_resampling=resampling, unshuffle=1 if resampling else 2)
    assert config.receptive_radius == receptive_radius(random_network(config))
    assert GROUPED.receptive_radius is None
    assert replace(SMALL, attention=(False, True)).receptive_radius is None


def receptive_radius(network):
    """How far the input reaches that a block of pixels (config.multiple a side) depends on, in whole multiples."""
    multiple = network.config.multiple
    x = torch.randn(1, 3, 256, 256, requires_grad=True)
    network(x, torch.tensor([2.0]))[..., 128 : 128 + multiple, 128 : 128 + multiple].sum().backward()
    reach = x.grad[0].abs().amax(dim=(0, 1)).nonzero().flatten()
    radius = max(128 - int(reach.min()), int(reach.max()) + 1 - 128 - multiple)
    assert radius < 64
    return math.ceil(radius / multiple) * multiple


def test_an_image_does_not_depend_on_its_batch(random_network):
    network = random_network(GROUPED)
    x, t = torch.randn(3, 3, 8, 8), torch.tensor([1.0, 50.0, 900.0])
    together = network(x, t)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], network(x[i : i + 1], t[i : i + 1]), atol=1e-5, rtol=0)


def test_input_gradient(random_network):
    """Guidance backpropagates to the image, here one that is padded."""
    network = random_network(SMALL).double()
    x = torch.randn(1, 3, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: network(x, torch.tensor([4.0])), x)
