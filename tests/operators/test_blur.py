"""Gaussian blur against direct convolution of a padded image."""

import numpy as np
import pytest
import torch

from maprps.operators.blur import GaussianBlur

PADDING = {"reflect": "symmetric", "circular": "wrap", "zero": "constant", "replicate": "edge"}


def convolve(image, size, sigma, boundary):
    """Two-dimensional convolution, tap by tap."""
    radius = size // 2
    grid = np.arange(-radius, radius + 1)
    kernel = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    padded = np.pad(image, radius, PADDING[boundary])
    height, width = image.shape
    return sum(kernel[i, j] * padded[i : i + height, j : j + width] for i in range(size) for j in range(size))


@pytest.mark.parametrize("boundary", PADDING)
@pytest.mark.parametrize("shape", [(24, 17), (40, 70), (6, 5), (1, 9), (1, 1)])
@pytest.mark.parametrize(("size", "sigma"), [(1, 1.0), (9, 1.3), (31, 6.0)])
def test_is_convolution_of_the_continued_image(boundary, shape, size, sigma):
    image = np.random.default_rng(0).random(shape)
    operator = GaussianBlur(size, sigma, boundary).build(1, *shape, dtype=torch.float64)
    got = operator(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, convolve(image, size, sigma, boundary), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_keeps_the_mean(boundary):
    x = torch.rand(1, 1, 40, 33, dtype=torch.float64)
    y = GaussianBlur(61, 3.0, boundary).build(1, 40, 33, dtype=torch.float64)(x)
    assert float(y.mean()) == pytest.approx(float(x.mean()), abs=1e-14)


def test_circular_blur_is_a_product_in_fourier_space():
    n = 32
    taps = torch.exp(-0.5 * (torch.arange(n, dtype=torch.float64) - n // 2) ** 2 / 2.0**2)
    taps[n // 2 + 8 :] = taps[: n // 2 - 7] = 0
    response = torch.fft.fft((taps / taps.sum()).roll(-n // 2)).real
    x = torch.rand(1, 1, n, n, dtype=torch.float64)
    operator = GaussianBlur(15, 2.0, "circular").build(1, n, n, dtype=torch.float64)
    power = torch.outer(response, response) ** 2
    wanted = torch.fft.ifft2(torch.fft.fft2(x) / (0.01 + 0.5 * power)).real
    torch.testing.assert_close(operator.solve(x, 0.01, 0.5), wanted, rtol=1e-10, atol=1e-10)


def test_starts_from_the_measurement():
    operator = GaussianBlur().build(3, 20, 30)
    y = torch.rand(1, 3, 20, 30)
    assert torch.equal(operator.initial_guess(y), y)


def test_kernel_is_what_a_point_becomes():
    blur = GaussianBlur(7, 1.3)
    point = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
    point[..., 7, 7] = 1
    image = blur.build(1, 15, 15, dtype=torch.float64)(point)[0, 0]
    torch.testing.assert_close(image[4:11, 4:11], blur.kernel(), rtol=0, atol=1e-15)
