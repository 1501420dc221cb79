import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maprps.operators.inpainting import Inpainting


def mask_of(height, width, seed, missing):
    mask = np.random.default_rng(seed).random((height, width)) < missing
    mask[seed % height, seed % width] = False
    return mask


masks = st.builds(mask_of, st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.floats(0, 1))
quick = settings(max_examples=50, deadline=None, derandomize=True)


@quick
@given(masks)
def test_zeros_what_is_missing_and_keeps_the_rest(mask):
    operator = Inpainting.from_mask(mask).build(3, *mask.shape)
    x = torch.rand(2, 3, *mask.shape) + 1
    wanted = np.where(mask, 0, x.numpy())
    for method in (operator, operator.keep, operator.adjoint, operator.pinv):
        assert np.array_equal(method(x).numpy(), wanted)
    assert operator.measured == np.count_nonzero(wanted[0])


@quick
@given(masks)
def test_description_keeps_the_mask(mask):
    assert np.array_equal(Inpainting.from_mask(mask).missing(), mask)
    assert Inpainting.from_mask(torch.from_numpy(mask)[None].float()) == Inpainting.from_mask(mask)


def test_a_soft_mask_is_cut_at_one_half():
    assert Inpainting.from_mask(np.array([[0.0, 0.5, 0.51, 1.0]])).missing().tolist() == [[False, False, True, True]]


@quick
@given(masks, st.floats(-3, 3), st.floats(-2, 2))
def test_initial_guess_interpolates_the_known_pixels(mask, scale, shift):
    operator = Inpainting.from_mask(mask).build(2, *mask.shape, dtype=torch.float64)
    x = torch.rand(1, 2, *mask.shape, dtype=torch.float64)
    guess = operator.initial_guess(operator(x))
    known = torch.from_numpy(~mask)
    assert torch.equal(guess[..., known], x[..., known])
    for channel in range(2):  # every filled pixel is a mean of known ones
        values = x[0, channel][known]
        assert values.min() - 1e-12 <= guess[0, channel].min() and guess[0, channel].max() <= values.max() + 1e-12
    moved = operator.initial_guess(operator.keep(scale * x + shift))  # the same in image and in model units
    torch.testing.assert_close(moved, scale * guess + shift, rtol=0, atol=1e-12)


def test_initial_guess_is_near_a_smooth_image():
    row = torch.linspace(0, 1, 64, dtype=torch.float64)
    x = (row[:, None] + row)[None, None] / 2
    operator = Inpainting.from_mask(mask_of(64, 64, 0, 0.5)).build(1, 64, 64, dtype=torch.float64)
    assert float((operator.initial_guess(operator(x)) - x).abs().max()) < 0.05


def test_errors():
    with pytest.raises(ValueError, match="hides every pixel"):
        Inpainting.from_mask(np.ones((4, 5)))
    with pytest.raises(ValueError, match="use one mask"):
        Inpainting.from_mask(np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="mask is 5x4 pixels and the image 6x4"):
        Inpainting.from_mask(np.zeros((4, 5))).build(3, 4, 6)
