import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maprps.linalg.seeded import uniform
from maprps.operators.compose import Compose
from maprps.operators.random_inpainting import RandomInpainting


@given(st.floats(0, 0.999), st.integers(1, 30), st.integers(1, 30), st.booleans(), st.integers(0, 2**64 - 1))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_the_fraction_is_exact(fraction, height, width, per_channel, seed):
    operator = RandomInpainting(fraction, seed, per_channel).build(3, height, width)
    known = operator.known.expand(1, 3, height, width)[0].flatten(1).sum(1)
    left = max(height * width - round(fraction * height * width), 1)
    assert known.tolist() == [left] * 3
    assert operator.measured == 3 * left


def test_one_mask_for_all_channels_or_one_each():
    x = torch.ones(1, 3, 32, 32)
    shared = RandomInpainting().build(3, 32, 32)(x)
    own = RandomInpainting(per_channel=True).build(3, 32, 32)(x)
    assert torch.equal(shared[:, 0], shared[:, 1]) and torch.equal(shared[:, 0], shared[:, 2])
    for i, j in ((0, 1), (0, 2), (1, 2)):  # independent masks of one half agree on about half of the pixels
        assert 0.4 < float((own[:, i] == own[:, j]).float().mean()) < 0.6


def test_seeds_draw_independent_masks():
    known = torch.cat([RandomInpainting(0.5, seed).build(1, 32, 32).known for seed in range(8)]).flatten(1).double()
    correlation = torch.corrcoef(known) - torch.eye(8)
    assert float(correlation.abs().max()) < 0.15  # about 1 / 32 each


def test_the_guess_fills_every_channel_from_its_own_pixels():
    operator = RandomInpainting(0.9, 0, True).build(3, 24, 31, dtype=torch.float64)
    x = torch.rand(1, 3, 24, 31, dtype=torch.float64)
    guess = operator.initial_guess(operator(x))
    for channel in range(3):
        alone = x.clone()
        alone[:, [c for c in range(3) if c != channel]] = 0
        torch.testing.assert_close(operator.initial_guess(operator(alone))[:, channel], guess[:, channel])
        known = operator.known[0, channel]
        assert torch.equal(guess[0, channel][known], x[0, channel][known])


def test_two_masks_that_hide_a_channel():
    with pytest.raises(ValueError, match="Together the two masks hide every pixel"):
        Compose(RandomInpainting(0.9, 0, True), RandomInpainting(0.9, 1)).build(3, 2, 2)


def test_errors():
    for fraction in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="0 or more, and less than 1"):
            RandomInpainting(fraction)


def test_seeded_numbers_are_numpys_uniform_ones():
    numbers = uniform(7, 3, 5)
    assert np.array_equal(numbers, np.random.Generator(np.random.PCG64(7)).random((3, 5)))
    many = uniform(2**64 - 1, 100000)
    assert many.min() >= 0 and many.max() < 1
    assert many.mean() == pytest.approx(0.5, abs=0.01) and many.var() == pytest.approx(1 / 12, abs=0.002)
