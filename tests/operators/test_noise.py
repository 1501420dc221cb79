import pytest
import torch

from maprps.operators.noise import poisson


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("peak", [0.5, 10.0, 255.0])
def test_counts_with_the_mean_and_variance_of_poisson(peak):
    y = torch.tensor([0.05, 0.4, 1.0]).view(1, 3, 1, 1).expand(1, 3, 300, 300)
    noisy = poisson(y, peak, generators(0))
    counts = noisy * peak
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-4)
    torch.testing.assert_close(noisy.mean((2, 3)), y[..., 0, 0], rtol=0.05, atol=0)
    torch.testing.assert_close(noisy.var((2, 3)), y[..., 0, 0] / peak, rtol=0.05, atol=0)
    assert (noisy == 0).float().mean((2, 3)) == pytest.approx((-peak * y[..., 0, 0]).exp(), abs=0.01)


def test_an_image_draws_from_its_own_generator():
    y = torch.rand(3, 2, 8, 9, dtype=torch.float64)
    together = poisson(y, 30.0, generators(4, 5, 6))
    assert together.dtype == y.dtype
    for i in range(3):
        assert torch.equal(poisson(y[i : i + 1], 30.0, generators(4 + i)), together[i : i + 1])
    assert torch.equal(poisson(y[:1], 30.0, generators(4)), poisson(y[:1], 30.0, generators(4)))


def test_no_light_below_black():
    assert torch.equal(poisson(torch.full((1, 1, 4, 4), -0.1), 50.0, generators(0)), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan")])
def test_errors(peak):
    with pytest.raises(ValueError, match="use a number of particles above 0"):
        poisson(torch.zeros(1, 1, 2, 2), peak, generators(0))
