"""Motion blur: a line's exact footprint, and what any path keeps to."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maprps.operators.motion_blur import SAMPLES, MotionBlur, trajectory

paths = st.tuples(st.floats(0.5, 100), st.floats(-180, 180), st.floats(0, 1), st.integers(0, 2**64 - 1))
quick = settings(max_examples=30, deadline=None, derandomize=True)


def moments(kernel):
    height, width = kernel.shape
    x, y = np.arange(width) - width // 2, np.arange(height) - height // 2
    return float((kernel * x).sum()), float((kernel * y[:, None]).sum())


@pytest.mark.parametrize("length", [0.5, 1.0, 9.0, 12.3])
def test_a_level_line_is_a_box_seen_through_a_triangle(length):
    kernel = MotionBlur(length, 0.0, 0.0).kernel().numpy()
    radius = kernel.shape[1] // 2
    s = (np.arange(200001) + 0.5) / 200001 * length - length / 2
    for j in range(-radius, radius + 1):
        footprint = np.clip(1 - np.abs(s - j), 0, None).mean()
        assert kernel[radius, radius + j] == pytest.approx(footprint, abs=1e-6)
    assert np.delete(kernel, radius, 0).sum() == 0


def test_no_length_is_no_blur():
    kernel = MotionBlur(0.0).kernel()
    wanted = torch.zeros(3, 3, dtype=torch.float64)
    wanted[1, 1] = 1
    assert torch.equal(kernel, wanted)


def test_angles_run_counter_clockwise():
    quarter = MotionBlur(9.0, 45.0, 0.0).kernel().numpy()
    radius = quarter.shape[0] // 2
    assert quarter[radius - 2, radius + 2] > 0.05 and quarter[radius + 2, radius + 2] == 0
    level, upright = (MotionBlur(9.0, angle, 0.0).kernel().numpy() for angle in (0.0, 90.0))
    np.testing.assert_allclose(upright[:, upright.shape[1] // 2], level[level.shape[0] // 2], atol=1e-12)


@quick
@given(paths)
def test_a_path_has_its_length_at_constant_speed_about_its_mean(path):
    points = trajectory(*path)
    assert points.shape == (SAMPLES, 2)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12 * path[0])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)  # between middles of straight pieces
    assert steps.max() <= path[0] / SAMPLES * (1 + 1e-9)
    assert np.median(steps) == pytest.approx(path[0] / SAMPLES, rel=1e-2)
    assert np.abs(points).max() <= path[0] / 2


@quick
@given(paths)
def test_kernels_are_positive_sum_to_one_and_shift_nothing(path):
    kernel = MotionBlur(*path).kernel().numpy()
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert moments(kernel) == pytest.approx((0, 0), abs=1e-9)
    assert kernel.shape[0] == kernel.shape[1] <= 2 * math.floor(path[0] / 2) + 3


def test_intensity_bends_the_path():
    def spread(intensity):
        """Mean distance between the ends of the path, in parts of its length."""
        ends = [trajectory(1.0, 0.0, intensity, seed)[[0, -1]] for seed in range(60)]
        return np.mean([np.linalg.norm(b - a) for a, b in ends])

    assert spread(0.0) == pytest.approx(1, abs=1e-3)
    assert spread(0.0) > spread(0.25) > spread(0.5) > spread(1.0)


def test_the_start_turns_with_the_angle():
    path, turned = trajectory(30.0, 0.0, 0.7, 3), trajectory(30.0, 90.0, 0.7, 3)
    np.testing.assert_allclose(turned, np.stack((path[:, 1], -path[:, 0]), 1), atol=1e-9)


def test_seeds_draw_different_paths():
    kernels = {MotionBlur(seed=seed).kernel().numpy().tobytes() for seed in range(20)}
    assert len(kernels) == 20
