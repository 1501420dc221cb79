import numpy as np
import pytest
import torch
from PIL import Image

from maprps.operators.quantization import Quantization, straight_through


@pytest.mark.parametrize("levels", [2, 3, 8, 256, 65536])
def test_rounds_to_the_nearest_level(levels):
    operator = Quantization(levels).build(3, 8, 9, dtype=torch.float64)
    x = torch.rand(2, 3, 8, 9, dtype=torch.float64)
    y = operator(x)
    steps = y * (levels - 1)
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-9)
    assert (y - x).abs().max() <= 0.5 / (levels - 1) + 1e-12
    torch.testing.assert_close(operator(y), y, rtol=0, atol=0)


def test_256_levels_are_an_8_bit_file():
    x = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    stored = np.asarray(Image.fromarray(x)) / np.float32(255)
    image = torch.from_numpy(stored).movedim(-1, 0)[None]
    assert torch.equal(Quantization(256).build(3, 20, 30)(image), image)


def test_every_level_is_one_number():
    y = Quantization(5).build(1, 100, 100)(torch.linspace(0, 1, 10000).view(1, 1, 100, 100))
    assert y.unique().tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_clips():
    y = Quantization(4).build(1, 1, 2)(torch.tensor([-0.4, 1.7]).view(1, 1, 1, 2))
    assert y.flatten().tolist() == [0, 1]


def test_gradient_is_the_difference_over_one_level():
    operator = Quantization(9).build(1, 4, 5, dtype=torch.float64)
    x = (0.1 + 0.7 * torch.rand(1, 1, 4, 5, dtype=torch.float64)).requires_grad_()
    (gradient,) = torch.autograd.grad(operator(x).sum(), x)
    step = 1 / 8
    torch.testing.assert_close(gradient, (operator(x + step) - operator(x)).detach() / step)


def test_straight_through():
    x = torch.randn(1000).mul(300).requires_grad_()
    value = straight_through(x.round().clamp(0, 255), x)
    assert torch.equal(value, x.round().clamp(0, 255))
    assert torch.equal(torch.autograd.grad(value.sum(), x)[0], torch.ones(1000))


@pytest.mark.parametrize("levels", [1, 65537, 2.5])
def test_errors(levels):
    with pytest.raises(ValueError, match="use a whole number from 2 to 65536"):
        Quantization(levels)
