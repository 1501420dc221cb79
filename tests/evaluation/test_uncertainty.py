"""Mean and spread of a batch of samples."""

import numpy as np
import pytest
import torch

from maprps.evaluation import uncertainty


@pytest.fixture
def samples():
    """Six samples whose spread differs over the image, some values outside 0..1."""
    return torch.rand(1, 40, 50, 3) + torch.rand(1, 40, 50, 1) * torch.randn(6, 40, 50, 3)


def test_mean_and_standard_deviation(samples):
    mean, std_map, scale, _ = uncertainty(samples)
    std = torch.std(samples, dim=0).mean(dim=-1)
    torch.testing.assert_close(mean, samples.mean(dim=0)[None])
    assert scale == pytest.approx(np.quantile(std.numpy(), 0.99), rel=1e-6)
    torch.testing.assert_close(std_map, (std / scale).clamp(max=1)[None, ..., None].expand(1, 40, 50, 3))
    assert (std_map == 1).float().mean() == pytest.approx(0.01, abs=0.001)


def test_the_text_gives_the_scale(samples):
    result = uncertainty(samples)
    assert f"white is {result.scale:.4f}" in result.text
    assert "6 samples" in result.text


def test_samples_that_differ_in_one_pixel_show_it():
    samples = torch.full((2, 64, 64, 3), 0.5)
    samples[1, 10, 20] = 0.7
    _, std_map, scale, _ = uncertainty(samples)
    assert scale == pytest.approx(0.2 / 2**0.5, rel=1e-5)
    assert (std_map > 0).nonzero()[:, 1:3].unique(dim=0).tolist() == [[10, 20]]
    assert float(std_map.max()) == 1


def test_equal_samples_are_certain():
    mean, std_map, scale, _ = uncertainty(torch.full((3, 8, 8, 3), 0.25))
    assert scale == 0
    assert not std_map.any()
    assert torch.equal(mean, torch.full((1, 8, 8, 3), 0.25))


def test_one_sample_says_nothing():
    with pytest.raises(ValueError, match="at least two samples"):
        uncertainty(torch.rand(1, 8, 8, 3))
