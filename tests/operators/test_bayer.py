import pytest
import torch

from maprps.operators.bayer import PATTERNS, BayerMosaic
from maprps.operators.spectrum import spectrum

SITES = [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_each_pixel_keeps_the_color_of_its_filter(pattern, size):
    operator = BayerMosaic(pattern).build(3, *size)
    x = torch.rand(2, 3, *size)
    y = operator(x)
    assert y.shape == (2, 1, *size)
    for (row, column), color in zip(SITES, pattern, strict=True):
        assert torch.equal(y[:, 0, row::2, column::2], x[:, "RGB".index(color), row::2, column::2])
    back = operator.adjoint(y)
    assert torch.equal(back.sum(1, keepdim=True), y) and int((back != 0).sum()) == y.numel()
    assert torch.equal(operator(back), y)  # A A^T = I
    assert operator.norm == 1 and operator.measured == y[0].numel()


def test_the_others_are_shifts_of_the_first():
    x = torch.rand(1, 3, 8, 8)
    first = BayerMosaic("RGGB").build(3, 8, 8)(x)
    for pattern, shift in (("GRBG", (0, 1)), ("GBRG", (1, 0)), ("BGGR", (1, 1))):
        shifted = BayerMosaic(pattern).build(3, 8, 8)(x.roll(shift, (2, 3)))
        assert torch.equal(shifted, first.roll(shift, (2, 3)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_guess_is_bilinear_demosaicing(pattern):
    """Exact where it was measured, and on a plane in between; at the border the mean of the neighbours there are."""
    operator = BayerMosaic(pattern).build(3, 9, 10, dtype=torch.float64)
    ramp = torch.arange(90, dtype=torch.float64).view(9, 10)
    x = torch.stack([ramp, 100 - ramp, 2 * ramp])[None]
    guess = operator.initial_guess(operator(x))
    torch.testing.assert_close(guess[..., 1:-1, 1:-1], x[..., 1:-1, 1:-1], rtol=0, atol=1e-12)
    assert torch.equal(operator(guess), operator(x))
    flat = torch.tensor([0.2, 0.5, 0.7], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 9, 10)
    torch.testing.assert_close(operator.initial_guess(operator(flat)), flat)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1)])
def test_a_color_that_was_measured_nowhere_is_grey(size):
    operator = BayerMosaic("RGGB").build(3, *size)
    y = torch.rand(1, 1, *size)
    guess = operator.initial_guess(y)
    assert torch.equal(guess[:, 2:], y)
    assert torch.equal(operator(guess), y)


def test_rank_and_conditioning():
    found = spectrum(BayerMosaic().build(3, 7, 8))
    assert (found.rank, found.norm, found.condition) == (56, 1, 1)


def test_one_line_for_a_person():
    assert BayerMosaic("GRBG").describe() == "Bayer mosaic (GRBG)"


def test_errors():
    with pytest.raises(ValueError, match="use one of RGGB, BGGR, GRBG, GBRG"):
        BayerMosaic("RGB")
    with pytest.raises(ValueError, match="needs 3: give it as RGB"):
        BayerMosaic().build(1, 5, 7)
