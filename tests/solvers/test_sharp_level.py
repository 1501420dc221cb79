"""The least level at which samples are nearly as sharp as those of the whole posterior."""

import math

import pytest
import torch

from maprps.solvers.sharp_level import PART, SEARCHES, sharp_sigma, sharpness

TEXTURE = torch.randn(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))


def test_sharpness_of_a_ramp():
    ramp = torch.arange(16.0).view(1, 1, 16, 1).expand(1, 16, 16, 3) / 16
    assert sharpness(ramp) == pytest.approx(1 / 16)
    assert sharpness(torch.ones(1, 8, 8, 3)) == 0


@pytest.mark.parametrize("middle", [0.1, 1.0, 5.0])
def test_the_level_reaches_the_part_and_less_does_not(middle):
    """Texture that comes back as sigma / (sigma + middle)."""

    def sampled(sigma):
        return 0.5 + TEXTURE * sigma / (sigma + middle)

    found = sharp_sigma(torch.full_like(TEXTURE, 0.5), sampled, 0.03, 80.0)
    whole, step = sharpness(sampled(80.0)), math.exp(math.log(80 / 0.03) / 2**SEARCHES)
    assert sharpness(sampled(found)) >= PART * whole > sharpness(sampled(found / step))


def test_where_only_the_whole_posterior_is_sharp():
    assert sharp_sigma(TEXTURE, lambda sigma: TEXTURE * (2 if sigma > 79 else 1), 0.03, 80.0) == pytest.approx(80.0)
