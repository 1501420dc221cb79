"""The level that is as sharp as the posterior: its definition, on Gaussian posteriors."""

import math

import pytest
import torch
from labs.gaussian import GaussianLab, PowerLawPrior, matrix_sqrt

from maprps.linalg.cosine_basis import CosineBasis
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.sharp_level import PART, sharp_sigma


def noise(seed=0, size=64):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_white_posterior():
    """1 - (v / (v + sigma^2))^2 = PART, solved for sigma. One sample's rings tell v to some percent."""
    sigma = 0.1 * math.sqrt((1 - PART) ** -0.5 - 1)
    assert sharp_sigma(torch.zeros(1, 3, 64, 64), 0.1 * noise(), largest=80.0) == pytest.approx(sigma, rel=0.02)


def test_follows_the_posteriors_scale_and_the_sharpest_of_a_batch():
    estimate, deviation = torch.rand(1, 3, 64, 64), noise()
    once, thrice = (sharp_sigma(estimate, estimate + k * deviation, largest=80.0) for k in (0.1, 0.3))
    assert thrice == pytest.approx(3 * once, rel=1e-4)
    both = sharp_sigma(
        estimate.expand(2, -1, -1, -1), estimate + deviation * torch.tensor([0.1, 0.3]).view(2, 1, 1, 1), 80.0
    )
    assert both == pytest.approx(thrice, rel=1e-5)


def test_bounds():
    x = torch.rand(1, 3, 16, 16)
    assert sharp_sigma(x, x, largest=80.0) < 1e-9  # nothing is open
    assert sharp_sigma(x, x + 100 * noise(size=16), largest=5.0) == 5.0


@pytest.mark.parametrize("degradation", [SuperResolution(2), RandomInpainting(0.5)], ids=["sr", "inpainting"])
def test_exact_samples_from_there_have_that_part_of_the_gradients(degradation):
    """Gradient energy about the mean of exact draws after re-noising, over that of exact posterior draws. The level is
    read off what is stationary of the posterior: .85 for super-resolution."""
    lab = GaussianLab(PowerLawPrior(32), degradation, 0.02, 1)
    root = matrix_sqrt(lab.posterior)
    whole = torch.randn(1024, generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ root.T
    sigma = sharp_sigma(lab.map, lab.map + whole.view_as(lab.map), largest=80.0)
    _, reached = lab.renoised(sigma)
    assert energy(reached) / energy(lab.posterior) == pytest.approx(PART, abs=0.06)


def energy(covariance):
    """Expected power of the gradients of an image with this covariance."""
    basis = CosineBasis(32, 32, torch.float64, torch.device("cpu"))
    transform = torch.kron(basis.vertical, basis.horizontal)
    return float(((transform @ covariance @ transform.T).diagonal() * basis.radius.flatten().square()).sum())
