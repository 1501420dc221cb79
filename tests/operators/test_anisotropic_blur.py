"""Anisotropic Gaussian blur: moments of the kernel, and the two ways it is built."""

import math

import pytest
import torch

from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.blur import GaussianBlur
from maprps.operators.convolution import convolution

BOUNDARIES = ("reflect", "circular", "zero", "replicate")


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0, -20.0])
def test_covariance_is_that_of_a_turned_gaussian(angle):
    kernel = AnisotropicGaussianBlur(61, 6.0, 2.0, angle).kernel()
    assert float(kernel.sum()) == pytest.approx(1)
    offsets = torch.arange(61, dtype=torch.float64) - 30
    x, y = offsets.expand(61, 61), -offsets[:, None].expand(61, 61)  # y upwards, so that angles run counter-clockwise
    direction = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = direction[0] * x + direction[1] * y, direction[0] * y - direction[1] * x
    for moment, wanted in ((along**2, 36.0), (across**2, 4.0), (along * across, 0.0), (along, 0.0), (across, 0.0)):
        assert float((kernel * moment).sum()) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, 270.0])
def test_a_product_of_rows_is_the_same_convolution(boundary, angle):
    degradation = AnisotropicGaussianBlur(9, 20.0, 1.0, angle, boundary)
    x = torch.rand(1, 2, 17, 30, dtype=torch.float64)
    operator = degradation.build(2, 17, 30, dtype=torch.float64)
    wanted = convolution(operator.space, degradation.kernel(), boundary)
    torch.testing.assert_close(operator(x), wanted(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 37.0])
def test_equal_stds_are_the_gaussian_blur(angle):
    x = torch.rand(1, 1, 20, 31, dtype=torch.float64)
    got = AnisotropicGaussianBlur(15, 2.5, 2.5, angle).build(1, 20, 31, dtype=torch.float64)(x)
    wanted = GaussianBlur(15, 2.5).build(1, 20, 31, dtype=torch.float64)(x)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-13)
