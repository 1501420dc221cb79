import math

import pytest
import torch

from maprps.estimation.blur_report import describe_kernel, extent
from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.blur import GaussianBlur
from maprps.operators.motion_blur import MotionBlur


@pytest.mark.parametrize("angle", [0.0, 20.0, 90.0, 150.0])
def test_extent_of_an_anisotropic_gaussian_is_its_sigmas_and_angle(angle):
    kernel = AnisotropicGaussianBlur(41, 4.0, 1.5, angle).kernel()
    assert extent(kernel) == pytest.approx((4.0, 1.5, angle), rel=1e-3, abs=1e-3)


def test_a_line_is_read_as_its_motion():
    text = describe_kernel(MotionBlur(20.0, 110.0, 0.0).kernel(), 0.01, 0.02, 0.005)
    assert "straight motion of 20 px at 110 degrees" in text
    assert "direction is well founded" in text
    assert "a guess" in describe_kernel(MotionBlur(20.0, 110.0, 0.0).kernel(), 0.01, 0.0105, 0.005)


def test_a_round_kernel_is_read_as_a_gaussian_or_a_disk():
    text = describe_kernel(GaussianBlur(31, 2.0).kernel(), 0.01, 0.01, 0.005)
    assert "Gaussian of sigma 2.0" in text and "disk of radius 4.0" in text and "straight" not in text
    assert "larger size" not in text
    offsets = torch.arange(21) - 10
    disk = (torch.hypot(offsets[:, None].double(), offsets.double()) <= 8).double()
    along, across, _ = extent(disk / disk.sum())
    assert along == pytest.approx(8 / 2, rel=0.02) and math.isclose(along, across, rel_tol=1e-6)


def test_what_is_wrong_with_a_kernel_is_said():
    point = torch.zeros(9, 9)
    point[4, 4] = 1
    assert "hardly any blur" in describe_kernel(point, 0.01, 0.01, 0.005)
    assert "use a larger size" in describe_kernel(torch.full((9, 9), 1 / 81), 0.01, 0.01, 0.005)
