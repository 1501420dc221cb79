"""Kernels that look like a line or a Gaussian, and those that do not."""

import math

import pytest
import torch

from maprps.estimation.blur_report import extent
from maprps.estimation.plain_shape import gaussian, line, plain_shape
from maprps.operators.blur import GaussianBlur
from maprps.operators.motion_blur import MotionBlur

ROOM = torch.zeros(31, 31)


def in_room(kernel):
    margin = (31 - len(kernel)) // 2
    return torch.nn.functional.pad(kernel.float(), (margin,) * 4)


@pytest.mark.parametrize("length, angle", [(3.0, 0.0), (9.0, 30.0), (21.0, 110.0)])
def test_line_is_that_of_motion_blur(length, angle):
    torch.testing.assert_close(
        line(length, angle, ROOM), in_room(MotionBlur(length, angle, 0.0).kernel()), atol=2e-3, rtol=0
    )


def test_gaussian_is_that_of_gaussian_blur():
    torch.testing.assert_close(gaussian(2.0, ROOM), GaussianBlur(31, 2.0).kernel().float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("length, angle", [(5.0, 20.0), (15.0, 110.0)])
def test_softened_line_is_a_line_of_the_same_length(length, angle):
    line_kernel = line(length, angle, ROOM)[None, None]
    soft = torch.nn.functional.conv2d(line_kernel, gaussian(0.5, torch.zeros(5, 5))[None, None], padding=2)[0, 0]
    along, across, found = extent(plain_shape(soft, 0.1))
    assert math.sqrt(12 * (along**2 - across**2)) == pytest.approx(length, rel=0.03)
    assert found == pytest.approx(angle, abs=1)


@pytest.mark.parametrize("std", [1.5, 2.5])
def test_gaussian_cut_off_at_a_tenth_gets_its_width_back(std):
    whole = gaussian(std, ROOM)
    cut = torch.where(whole >= 0.1 * whole.max(), whole, 0.0)
    torch.testing.assert_close(extent(plain_shape(cut / cut.sum(), 0.1))[0], std, rtol=0.05, atol=0)


def test_what_is_neither_stays():
    bent = in_room(MotionBlur(25.0, 0.0, 0.5, 1).kernel())
    point = ROOM.clone()
    point[15, 15] = 1.0
    assert plain_shape(bent, 0.1) is bent and plain_shape(point, 0.1) is point
