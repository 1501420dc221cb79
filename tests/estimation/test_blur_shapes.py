import math

import pytest
import torch

from maprps.estimation.blur_report import extent
from maprps.estimation.blur_shapes import bent, disk, gaussian, path, path_length, point, splines, straight
from maprps.operators.blur import GaussianBlur
from maprps.operators.motion_blur import MotionBlur


def log(number):
    return torch.tensor(math.log(number), dtype=torch.float64)


def test_gaussian_is_that_of_the_degradation():
    expected = GaussianBlur(15, 1.7).kernel()
    torch.testing.assert_close(gaussian(log(1.7), 15), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 35.0, 90.0, 140.0])
def test_straight_path_is_that_of_the_degradation(angle):
    expected = MotionBlur(9.0, angle, 0.0).kernel()
    margin = (21 - len(expected)) // 2
    expected = torch.nn.functional.pad(expected, [margin] * 4)
    torch.testing.assert_close(path(straight(9.0, angle), 21), expected, atol=2e-3, rtol=0)


def test_spread_of_a_disk_is_half_its_radius():
    along, across, _ = extent(disk(log(6.0), 21))
    assert along == pytest.approx(3.0, rel=0.03) and across == pytest.approx(along, rel=1e-4)


@pytest.mark.parametrize("number", [2, 3, 6])
def test_splines_share_out_one_and_start_and_end_at_the_ends(number):
    basis = splines(number)
    torch.testing.assert_close(basis.sum(1), basis.new_ones(len(basis)))
    assert (basis >= 0).all() and basis[0, 0] > 0.95 and basis[-1, -1] > 0.95


def test_evenly_placed_points_of_a_line_make_the_line():
    line = straight(8.0, 20.0)
    assert path_length(line) == pytest.approx(8.0, rel=1e-4)
    assert path_length(bent(line, 6)) == pytest.approx(8.0, rel=0.02)
    assert path_length(bent(line, 6, arc=0.3)) > 8.5 and path_length(bent(line, 6, swing=0.3)) > 8.5


@pytest.mark.parametrize(
    "draw, numbers",
    [(point, log(1.0)), (gaussian, log(1.5)), (disk, log(2.5)), (path, bent(straight(7.0, 50.0), 6, 0.3))],
)
def test_kernels_sum_to_one_and_are_centred(draw, numbers):
    kernel = draw(numbers, 21)
    offsets = torch.arange(21.0) - 10
    assert kernel.shape == (21, 21) and (kernel >= 0).all() and float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    assert all(abs(float((kernel.sum(side) * offsets).sum())) < 1e-3 for side in (0, 1))


def test_a_path_that_moves_elsewhere_is_the_same_kernel():
    points = bent(straight(7.0, 50.0), 6, swing=0.3)
    torch.testing.assert_close(path(points + 3.3, 21), path(points, 21), atol=1e-5, rtol=0)
