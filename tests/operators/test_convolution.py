"""Convolution by FFT against direct convolution of a padded image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maprps.linalg.fft import fast_size
from maprps.operators.convolution import convolution
from maprps.operators.space import Space

PADDING = {"reflect": "symmetric", "circular": "wrap", "zero": "constant", "replicate": "edge"}


def convolve(image, kernel, boundary):
    """y[i] = sum_o k[o] x[i - o], tap by tap, with o = 0 at the entry size // 2."""
    rows, columns = kernel.shape
    up, left = rows // 2, columns // 2
    padded = np.pad(image, ((up, up), (left, left)), PADDING[boundary])
    height, width = image.shape
    return sum(
        kernel[i, j] * padded[2 * up - i : 2 * up - i + height, 2 * left - j : 2 * left - j + width]
        for i in range(rows)
        for j in range(columns)
    )


def build(kernel, boundary, *shape):
    space = Space(1, *shape, torch.device("cpu"), torch.float64)
    return convolution(space, torch.from_numpy(kernel), boundary)


@pytest.mark.parametrize("boundary", PADDING)
@pytest.mark.parametrize("shape", [(24, 17), (6, 5), (1, 9), (1, 1), (43, 64)])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 7), (2, 1), (13, 18)])
def test_is_convolution_of_the_continued_image(boundary, shape, size):
    random = np.random.default_rng(0)
    image, kernel = random.random(shape), random.random(size)
    got = build(kernel, boundary, *shape)(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, convolve(image, kernel, boundary), rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", PADDING)
def test_a_point_becomes_the_kernel(boundary):
    kernel = np.random.default_rng(0).random((5, 4))
    image = torch.zeros(1, 1, 20, 30, dtype=torch.float64)
    image[..., 8, 11] = 1
    blurred = build(kernel, boundary, 20, 30)(image)[0, 0].numpy()
    np.testing.assert_allclose(blurred[6:11, 9:13], kernel, rtol=0, atol=1e-14)
    assert blurred.sum() == pytest.approx(kernel.sum())


def test_circular_inverses_are_quotients_in_fourier_space():
    kernel = np.random.default_rng(0).random((5, 8))
    operator = build(kernel, "circular", 21, 18)
    spread = np.zeros((21, 18))
    spread[:5, :8] = kernel
    response = np.fft.fft2(np.roll(spread, (-2, -4), (0, 1)))
    y = np.random.default_rng(1).random((21, 18))
    for got, factor in (
        (operator.pinv(torch.from_numpy(y)[None, None]), 1 / response),
        (operator.solve(torch.from_numpy(y)[None, None], 0.3, 0.2), 1 / (0.3 + 0.2 * abs(response) ** 2)),
    ):
        wanted = np.fft.ifft2(np.fft.fft2(y) * factor).real
        np.testing.assert_allclose(got[0, 0].numpy(), wanted, rtol=1e-9, atol=1e-9)
    assert operator.norm == pytest.approx(abs(response).max())


def test_pinv_leaves_out_what_the_kernel_stops():
    pair = np.array([[0.5, 0.5]])  # stops every second pixel's change of sign
    operator = build(pair, "circular", 4, 6)
    stripes = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(3).expand(1, 1, 4, 6)
    assert operator(stripes).abs().max() < 1e-15
    y = torch.rand(1, 1, 4, 6, dtype=torch.float64)
    assert (operator.pinv(y) * stripes).sum(-1).abs().max() < 1e-14
    x = operator.pinv(operator(y))
    torch.testing.assert_close(operator(x), operator(y), rtol=0, atol=1e-14)


@given(st.integers(1, 5000))
@settings(deadline=None, derandomize=True)
def test_fast_sizes_are_the_next_even_products_of_small_primes(n):
    smooth = {2**a * 3**b * 5**c * 7**d for a in range(1, 14) for b in range(9) for c in range(7) for d in range(6)}
    assert fast_size(n) == min(s for s in smooth if s >= n)
