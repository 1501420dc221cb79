import pytest
import torch

from maprps.operators import model_units
from maprps.operators.hdr import HDR


@pytest.mark.parametrize("scale", [1.0, 2.0, 3.5])
def test_is_the_fields_clip_in_model_units(scale):
    operator = HDR(scale).build(3, 5, 7, dtype=torch.float64)
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    wrapped, y, std = model_units(operator, operator(image), 0.05)
    wanted = (scale * (2 * image - 1)).clip(-1, 1)
    torch.testing.assert_close(wrapped(2 * image - 1), wanted, rtol=0, atol=1e-14)
    torch.testing.assert_close(y, wanted, rtol=0, atol=1e-14)
    assert std == 0.1


def test_keeps_the_middle_half_of_the_brightness():
    x = torch.tensor([0.0, 0.25, 0.375, 0.5, 0.75, 1.0]).view(1, 1, 1, 6)
    y = HDR().build(1, 1, 6)(x)
    assert y.flatten().tolist() == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]


def test_gradient():
    operator = HDR().build(1, 3, 4, dtype=torch.float64)
    x = torch.linspace(-0.2, 1.2, 12, dtype=torch.float64).view(1, 1, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(operator, x)
    operator(x).sum().backward()
    inside = (x > 0.25) & (x < 0.75)
    assert torch.equal(x.grad, 2.0 * inside)


def test_guess_is_exact_where_nothing_was_clipped_and_fits_the_measurement():
    operator = HDR().build(3, 9, 1, dtype=torch.float64)
    x = torch.rand(2, 3, 9, 1, dtype=torch.float64)
    y = operator(x)
    guess = operator.initial_guess(y)
    kept = (x > 0.25) & (x < 0.75)
    torch.testing.assert_close(guess[kept], x[kept])
    torch.testing.assert_close(operator(guess), y)


@pytest.mark.parametrize("scale", [0.5, float("nan"), float("inf")])
def test_errors(scale):
    with pytest.raises(ValueError, match="use 1 or more"):
        HDR(scale)
