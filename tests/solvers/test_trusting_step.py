"""The data step of *fast*: sigma^2 after a filter, more after a denoiser that tells a picture from noise."""

import pytest
import torch

from maprps.operators.blur import GaussianBlur
from maprps.solvers.map_estimation.annealed import MOST_VARIANCE, fixed_point_step, trusting_step
from maprps.solvers.problem import Problem
from maprps.solvers.proximal import proximal

SIGMA, NEXT = 0.5, 0.3


@pytest.fixture
def problem():
    operator = GaussianBlur(9, 1.5, "reflect").build(3, 32, 32)
    return Problem(operator, torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), 0.05)


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def shrunk(x, sigma):
    return 0.6 * x


def thresholded(x, sigma):
    """Keeps what is large as it is: its nonlinearity is .8 on white noise."""
    return torch.where(x.abs() > 1, x, 0.0)


def test_a_filter_gets_the_step_of_its_sigma(problem, x):
    assert torch.equal(trusting_step(problem, shrunk, x, SIGMA, NEXT), fixed_point_step(problem, shrunk, x, SIGMA))


def test_a_denoiser_that_tells_apart_gets_that_of_the_next_level(problem, x):
    expected = proximal(problem, thresholded(x, SIGMA), MOST_VARIANCE * NEXT**2)
    assert torch.allclose(trusting_step(problem, thresholded, x, SIGMA, NEXT), expected, atol=1e-5)


@pytest.mark.parametrize("following", [0.0, SIGMA / 4])
def test_never_less_than_its_sigma(problem, x, following):
    """After the last level there is none, and steps so far apart let enough noise in as they are."""
    step = trusting_step(problem, thresholded, x, SIGMA, following)
    assert torch.allclose(step, fixed_point_step(problem, thresholded, x, SIGMA), atol=1e-6)


def test_through_a_decoder_it_is_that_of_its_sigma(problem, x):
    decoded = Problem(problem.operator, problem.measurement, problem.noise_std, decoder=lambda z: 0.9 * z)
    step = trusting_step(decoded, thresholded, x, SIGMA, NEXT)
    assert torch.equal(step, fixed_point_step(decoded, thresholded, x, SIGMA))
