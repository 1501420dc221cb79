import pytest
import torch

from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.nonlinear_blur import TOE, NonlinearBlur, to_light, to_values
from maprps.operators.resampling import SuperResolution

BLUR = GaussianBlur(9, 1.5)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.4])
def test_response_is_a_power_above_the_toe_and_a_line_below(gamma):
    values = torch.linspace(TOE, 1.5, 200, dtype=torch.float64)
    torch.testing.assert_close(to_light(values, gamma), values**gamma)
    torch.testing.assert_close(to_light(-values, gamma), -(values**gamma))
    small = torch.linspace(-TOE, TOE, 201, dtype=torch.float64)
    torch.testing.assert_close(to_light(small, gamma), small * TOE ** (gamma - 1))
    x = torch.linspace(-1.5, 1.5, 1001, dtype=torch.float64)
    torch.testing.assert_close(to_values(to_light(x, gamma), gamma), x)
    assert (to_light(x, gamma).diff() > 0).all()


@pytest.mark.parametrize("exposure", [1.0, 2.5])
def test_blurs_light(exposure):
    x = TOE + (1 - TOE) * torch.rand(2, 3, 11, 8, dtype=torch.float64)
    linear = BLUR.build(3, 11, 8, dtype=torch.float64)
    wanted = (exposure * linear(x**2.2)).clamp(max=1) ** (1 / 2.2)
    operator = NonlinearBlur(BLUR, 2.2, exposure).build(3, 11, 8, dtype=torch.float64)
    torch.testing.assert_close(operator(x), wanted)
    assert (wanted == 1).any() == (exposure > 1)


def test_without_a_response_it_is_the_linear_blur():
    x = torch.randn(2, 3, 11, 8, dtype=torch.float64)
    operator = NonlinearBlur(MotionBlur(5), 1.0).build(3, 11, 8, dtype=torch.float64)
    torch.testing.assert_close(operator(x), MotionBlur(5).build(3, 11, 8, dtype=torch.float64)(x))


def test_highlights_outshine_what_is_around_them():
    """The mean of black and white light looks brighter than middle grey."""
    x = torch.tensor([0.0, 1.0]).repeat(8).view(1, 1, 1, 16)
    y = NonlinearBlur(SuperResolution(2, "box")).build(1, 1, 16)(x)
    torch.testing.assert_close(y, torch.full((1, 1, 1, 8), 0.5 ** (1 / 2.2)))


@pytest.mark.parametrize("exposure", [1.0, 1.5])
def test_gradient(exposure):
    operator = NonlinearBlur(GaussianBlur(5, 1.0), 2.2, exposure).build(1, 5, 6, dtype=torch.float64)
    x = (1.2 * torch.rand(1, 1, 5, 6, dtype=torch.float64) - 0.1).requires_grad_()
    assert torch.autograd.gradcheck(operator, x)


def test_gradient_at_black_is_finite():
    operator = NonlinearBlur(BLUR).build(1, 8, 8, dtype=torch.float64)
    x = torch.zeros(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator, x)  # a line there


def test_saturated_pixels_have_no_gradient():
    operator = NonlinearBlur(BLUR, exposure=2.0).build(1, 8, 8)
    x = torch.ones(1, 1, 8, 8, requires_grad=True)
    operator(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_guess_is_that_of_the_linear_one_in_its_light():
    x = torch.rand(1, 3, 12, 8, dtype=torch.float64)
    blur = NonlinearBlur(BLUR).build(3, 12, 8, dtype=torch.float64)
    torch.testing.assert_close(blur.initial_guess(x), x)
    identity = NonlinearBlur(Denoising(), exposure=2.0).build(3, 12, 8, dtype=torch.float64)
    dark = x / 2
    torch.testing.assert_close(identity.initial_guess(identity(dark)), dark)


def test_size_is_that_of_its_blur():
    degradation = NonlinearBlur(SuperResolution(3))
    assert degradation.image_size(4, 5) == (12, 15)
    assert degradation.build(3, 12, 15).measured == 3 * 4 * 5


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: NonlinearBlur(BLUR, 0.5), "use 1 to 5"),
        (lambda: NonlinearBlur(BLUR, 2.2, 0.9), r"use 1 \(nothing saturates\) or more"),
        (lambda: NonlinearBlur(HDR()).build(3, 8, 8), "made from a linear one, not from high dynamic range"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
