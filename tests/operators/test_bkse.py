"""The BKSE generator, with small random networks in the form of its released checkpoints."""

import numpy as np
import pytest
import torch
from labs.bkse import small_network
from torch import nn

from maprps.operators.bkse import BKSE

PREFIX = "adapter.model" + ".submodule" * 4


@pytest.fixture
def checkpoint(tmp_path):
    def save(weights, name="GOPRO_wVAE.pth"):
        torch.save(weights, tmp_path / name)
        return str(tmp_path / name)

    return save


def by_modules(weights, x, code):
    """The same network put together from torch's modules, for front = 2 and back = 1."""

    def layer(kind, name, *args):
        weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
        channels = weight.shape[:2] if kind is nn.ConvTranspose2d else weight.shape[1::-1]
        module = kind(*channels, weight.shape[2], *args, padding=1, bias=bias is not None)
        module.weight, module.bias = (v if v is None else nn.Parameter(v) for v in (weight, bias))
        return module

    def residual(name, h):
        return h + nn.Sequential(layer(nn.Conv2d, f"{name}.conv1"), nn.ReLU(), layer(nn.Conv2d, f"{name}.conv2"))(h)

    leaky, steeper = nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)
    h = x
    for i, stride in ((0, 1), (2, 2), (4, 2)):
        h = leaky(layer(nn.Conv2d, f"feature_extractor.{i}", stride)(h))
    h = residual("feature_extractor.7", residual("feature_extractor.6", h))
    names = ["adapter.model" + ".submodule" * depth for depth in range(5)]
    skips = [layer(nn.Conv2d, f"{names[0]}.down.0", 2)(h)]
    for name in names[1:]:
        skips.append(layer(nn.Conv2d, f"{name}.down.1", 2)(steeper(skips[-1])))
    h = torch.cat([skips.pop(), code], 1)
    for name in names[:0:-1]:
        h = torch.cat([layer(nn.ConvTranspose2d, f"{name}.up.1", 2)(h.relu()), skips.pop()], 1)
    h = layer(nn.ConvTranspose2d, f"{names[0]}.up.1", 2)(h.relu()).tanh()
    h = residual("recon_trunk.0", h)
    for i in (1, 4):
        h = leaky(nn.PixelShuffle(2)(layer(nn.Conv2d, f"recon_trunk.{i}")(h)))
    h = layer(nn.Conv2d, "recon_trunk.9")(leaky(layer(nn.Conv2d, "recon_trunk.7")(h)))
    return x + h


def test_is_the_published_network(checkpoint):
    weights = small_network()
    operator = BKSE(checkpoint(weights)).build(3, 256, 128)
    x = 0.4 + 0.2 * torch.rand(1, 3, 256, 128)
    wanted = by_modules(weights, x, operator.code)
    torch.testing.assert_close(operator(x), wanted.clamp(0, 1), rtol=0, atol=1e-5)
    assert (wanted - x).abs().mean() > 0.01


def test_code_is_that_of_daps(checkpoint):
    operator = BKSE(checkpoint(small_network())).build(3, 256, 256)
    np.random.seed(0)
    wanted = np.random.randn(1, 32, 2, 2) * 1.2
    assert torch.equal(operator.code, torch.from_numpy(wanted).float())


def test_every_seed_has_its_own_code(checkpoint):
    path = checkpoint(small_network())
    codes = [BKSE(path, seed).build(3, 128, 128).code for seed in (0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**64 - 1)]
    assert len({tuple(code.flatten().tolist()) for code in codes}) == len(codes)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="whole number from 0 to 2\\^64 - 1"):
            BKSE(path, seed)


def test_the_code_matters(checkpoint):
    path = checkpoint(small_network(scale=1.0))
    x = torch.rand(1, 3, 128, 128)
    results = [BKSE(path, seed, spread).build(3, 128, 128)(x) for seed, spread in ((0, 1.2), (1, 1.2), (0, 0.0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (results[one] - results[other]).abs().max() > 1e-4


def test_without_weights_it_clips(checkpoint):
    operator = BKSE(checkpoint({name: torch.zeros_like(v) for name, v in small_network().items()})).build(3, 9, 7)
    x = 2 * torch.rand(1, 3, 9, 7) - 0.5
    assert torch.equal(operator(x), x.clamp(0, 1))
    assert torch.equal(operator.initial_guess(x), x)


@pytest.mark.parametrize("size", [(1, 1), (1, 130), (129, 100)])
def test_any_size_by_repeating_the_border(size, checkpoint):
    path = checkpoint(small_network())
    height, width = (-(-n // 128) * 128 for n in size)
    x = torch.rand(2, 3, *size)
    rows, columns = torch.arange(height).clamp(max=size[0] - 1), torch.arange(width).clamp(max=size[1] - 1)
    whole = BKSE(path).build(3, height, width)(x[:, :, rows][..., columns])
    assert torch.equal(BKSE(path).build(3, *size)(x), whole[..., : size[0], : size[1]])


def test_gradient(checkpoint):
    operator = BKSE(checkpoint(small_network())).build(3, 20, 30, dtype=torch.float64)
    x = (0.4 + 0.2 * torch.rand(1, 3, 20, 30, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(operator, x, fast_mode=True)


def test_size_is_read_off_the_weights(checkpoint):
    operator = BKSE(checkpoint(small_network(width=6, front=3, back=4))).build(3, 8, 8)
    assert (operator.generator.width, operator.generator.front, operator.generator.back) == (6, 3, 4)
    assert operator.code.shape == (1, 48, 1, 1)


def change(weights, name, value):
    if value is None:
        del weights[name]
    else:
        weights[name] = value
    return weights


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_extractor.0.weight", None),
        ("recon_trunk.1.bias", None),
        (f"{PREFIX}.down.1.weight", torch.zeros(32, 32, 3, 3)),
        (f"{PREFIX}.down.1.bias", torch.zeros(32)),
        ("feature_extractor.0.weight", torch.zeros(4)),
    ],
)
def test_other_networks_are_refused(name, value, checkpoint):
    path = checkpoint(change(small_network(), name, value))
    with pytest.raises(ValueError, match="not those of a BKSE blur network.*use GOPRO_wVAE.pth"):
        BKSE(path).build(3, 8, 8)


class Payload:
    """Would run code when unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def test_other_files_are_refused(checkpoint, tmp_path, capsys):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    for path in (str(broken), checkpoint({"weight": Payload()}, "payload.pth")):
        with pytest.raises(ValueError, match="damaged or no file of weights"):
            BKSE(path).build(3, 8, 8)
    assert "unpickled" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds other things than named weights"):
        BKSE(checkpoint({"steps": 3}, "training.pth")).build(3, 8, 8)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BKSE("GOPRO_wVAE.pth", -1), "use a whole number from 0 to"),
        (lambda: BKSE("GOPRO_wVAE.pth", 0, -1.0), "use 0 or more"),
        (lambda: BKSE("GOPRO_wVAE.pth").build(1, 8, 8), "needs 3: give it as RGB"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
