"""A filter has none; what no filter does counts whole."""

import pytest
import torch

from maprps.linalg.cosine_basis import CosineBasis
from maprps.solvers.nonlinearity import nonlinearity


@pytest.fixture
def x():
    return torch.randn(4, 3, 24, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_filter_has_none(x):
    """Of one gain for each channel, and of one that falls with frequency next to none."""
    gain = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).double()
    assert nonlinearity(x, gain * x).max() <= 1e-12
    basis = CosineBasis.of(x)
    filtered = basis.inverse(basis.transform(x) / (1 + basis.radius / 10))
    assert nonlinearity(x, filtered).max() <= 0.02


def test_what_has_nothing_to_do_with_the_image_counts_whole(x):
    other = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    assert nonlinearity(x, x + 0.1 * other).min() >= 0.95


def test_a_threshold_is_between(x):
    """Soft thresholding of white noise at its std: E[(D - g x)^2] / E[(x - D)^2] with g = E[D x] / E[x^2]."""
    wide = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    kept = wide.sign() * (wide.abs() - 1).clamp_min(0)
    tail, density = torch.erfc(torch.tensor(0.5).sqrt()) / 2, torch.tensor(-0.5).exp() / (2 * torch.pi) ** 0.5
    gain, power = 2 * tail, 2 * (2 * tail - density)  # E[D x] = P(|x| > 1); E[D^2] = 2 ((1 + 1) Q(1) - phi(1))
    assert nonlinearity(wide, kept).item() == pytest.approx(float((power - gain**2) / (1 - 2 * gain + power)), rel=0.05)


def test_an_image_is_as_in_a_batch_and_nothing_has_none(x):
    denoised = x.tanh()
    assert torch.equal(nonlinearity(x, denoised)[1:2], nonlinearity(x[1:2], denoised[1:2]))
    assert nonlinearity(torch.zeros_like(x), torch.zeros_like(x)).eq(0).all()
