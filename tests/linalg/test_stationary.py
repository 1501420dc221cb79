"""The stationary covariance that is read off a denoiser's output."""

import math

import pytest
import torch

from maprps.linalg.cosine_basis import CosineBasis
from maprps.linalg.stationary import Stationary
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.denoising_covariance import denoising_covariance
from maprps.solvers.opponent import opponent


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (7, 5)])
def test_the_cosine_transform(size):
    x = random(2, 3, *size)
    basis = CosineBasis.of(x)
    modes = basis.transform(x)
    assert torch.allclose(basis.inverse(modes), x, atol=1e-5)
    assert torch.allclose(modes.square().sum(), x.square().sum(), rtol=1e-5)
    height, width = size
    rows = torch.arange(height)[:, None] + 0.5
    columns = torch.arange(width) + 0.5
    wave = torch.cos(math.pi * 2 * rows / height) * torch.cos(math.pi * 3 * columns / width)
    single = basis.transform(wave[None, None])[0, 0]
    assert single[2, 3] == pytest.approx(math.sqrt(height * width) / 2, rel=1e-5)
    assert single.square().sum() == pytest.approx(float(single[2, 3] ** 2), rel=1e-5)
    assert basis.radius[2, 3] == pytest.approx(max(size) * math.hypot(2 / height, 3 / width))


def test_a_covariance_is_symmetric_and_the_same_mirrored():
    x, y = random(1, 2, 12, 20), random(1, 2, 12, 20, seed=1)
    basis = CosineBasis.of(x)
    covariance = Stationary(basis, 1 / (1 + basis.radius[None, None]))
    assert float((covariance(x) * y).sum()) == pytest.approx(float((x * covariance(y)).sum()), rel=1e-4)
    assert torch.allclose(covariance(x.flip(-1)), covariance(x).flip(-1), atol=1e-6)
    impulses = torch.eye(240).view(240, 1, 12, 20)
    pixel_variances = torch.diagonal(covariance(impulses).flatten(1))
    assert float(pixel_variances.mean()) == pytest.approx(float(covariance.variance), rel=1e-4)


@pytest.mark.parametrize("gain", [0.0, 0.3, 1.0])
def test_a_denoiser_that_scales(gain):
    x = random(2, 3, 12, 20)
    covariance = denoising_covariance(x, gain * x, 0.5)
    assert torch.allclose(covariance.power, torch.full((2, 3, 12, 20), 0.25 * gain), atol=1e-6)


def test_the_mean_of_the_prior_takes_no_part():
    x = random(1, 3, 12, 12)
    shifted = denoising_covariance(x + 5, 0.3 * x - 2, 0.5).power
    assert torch.allclose(shifted, denoising_covariance(x, 0.3 * x, 0.5).power, atol=1e-5)


def test_gains_stay_between_a_flat_prior_and_a_point():
    """Whatever a learned denoiser does: the power is that of no covariance at all, 0, to that of no prior, sigma^2."""
    x = random(1, 3, 12, 12)
    assert torch.equal(denoising_covariance(x, -x, 0.5).power, torch.zeros(1, 3, 12, 12))
    assert torch.equal(denoising_covariance(x, 3 * x, 0.5).power, torch.full((1, 3, 12, 12), 0.25))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("channels", [3, 4])
def test_it_is_the_covariance_of_a_gaussian_prior(sigma, channels):
    """Of power c in the cosine basis: Cov[x0 | x] = sigma^2 c / (c + sigma^2), from one image. Rings and what lies
    between them cost some 10 %; the corners of the basis, where there are few modes, more."""
    shape = 1, channels, 64, 64
    basis = CosineBasis.of(torch.empty(shape))
    power = 20 / (1 + basis.radius**2 / 16) ** 1.5
    x0 = basis.inverse(power.sqrt() * random(*shape))
    x = x0 + sigma * random(*shape, seed=1)
    denoised = basis.inverse(power / (power + sigma**2) * basis.transform(x))
    found = denoising_covariance(x, denoised, sigma).power[0].mean(0)
    exact = sigma**2 * power / (power + sigma**2)
    error = found / exact - 1
    assert error[(basis.radius > 0) & (basis.radius <= 48)].abs().max() <= 0.12
    assert error[basis.radius > 48].abs().max() <= 0.8


def test_brightness_and_colors_have_powers_of_their_own():
    """Of a prior whose colors are fainter and smoother than its brightness, each by itself, on any picture."""
    sigma = 0.5
    x = random(1, 3, 128, 128)
    basis, mixing = CosineBasis.of(x), opponent(x)
    radius = basis.radius / 2
    power = torch.stack([20 / (1 + radius**2 / 16) ** 1.5, 4 / (1 + radius**2 / 4) ** 1.5, 1 / (1 + radius / 4)])
    prior = Stationary(basis, power[None], mixing)
    x = prior.root(x) + sigma * random(1, 3, 128, 128, seed=1)
    exact = sigma**2 * power / (power + sigma**2)
    found = denoising_covariance(x, prior.filter(x, power / (power + sigma**2)), sigma)
    assert torch.equal(found.mixing, mixing)
    error = found.power[0] / exact - 1
    assert error[:, (radius > 4) & (radius <= 48)].abs().max() <= 0.2


def test_opponent_colors():
    mixing = opponent(torch.empty(1, 3, 1, 1, dtype=torch.float64))
    assert torch.allclose(mixing @ mixing.T, torch.eye(3, dtype=torch.float64))
    grey = mixing @ torch.ones(3, dtype=torch.float64)
    assert grey.tolist() == pytest.approx([math.sqrt(3), 0, 0])


def test_an_image_alone_or_in_a_batch():
    x, denoised = random(4, 3, 12, 20), random(4, 3, 12, 20) * 0.5 + random(4, 3, 12, 20, seed=2)
    together = denoising_covariance(x, denoised, 0.5).power
    alone = denoising_covariance(x[2:3], denoised[2:3], 0.5).power
    assert torch.allclose(together[2:3], alone, rtol=1e-5)


@pytest.mark.parametrize("degradation", [Denoising(), GaussianBlur(9, 1.5), GaussianBlur(61, 3.0)])
@pytest.mark.parametrize("size", [(24, 24), (13, 30)])
def test_the_cosine_gain_is_the_operator(degradation, size):
    operator = degradation.build(3, *size)
    x = random(2, 3, *size)
    basis = CosineBasis.of(x)
    assert torch.allclose(basis.inverse(operator.cosine_gain * basis.transform(x)), operator(x), atol=1e-5)


@pytest.mark.parametrize(
    "degradation",
    [
        GaussianBlur(9, 1.5, "circular"),
        GaussianBlur(9, 1.5, "zero"),
        GaussianBlur(9, 1.5, "replicate"),
        SuperResolution(2),
        Inpainting.from_mask(torch.eye(24)),
    ],
    ids=lambda d: d.describe(),
)
def test_other_operators_have_no_cosine_gain(degradation):
    operator = degradation.build(3, 24, 24)
    assert operator.cosine_gain is None


@pytest.mark.parametrize(
    "degradation", [SuperResolution(4), GaussianBlur(9, 1.5, "zero"), Inpainting.from_mask(torch.eye(12, 20))]
)
def test_the_covariance_of_a_measurement(degradation):
    """A R A^T, whatever way an operator takes."""
    operator = degradation.build(3, 12, 20)
    y = random(2, *operator.measurement_shape)
    basis = CosineBasis.of(random(1, 3, 12, 20))
    covariance = Stationary(basis, torch.rand(2, 3, 12, 20), opponent(y))
    plain = operator(covariance(operator.adjoint(y)))
    assert torch.allclose(operator.measured_covariance(covariance, y), plain, atol=1e-5)
