"""Super-resolution against the definitions of MATLAB, Pillow and torch."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, interpolate

from maprps.operators.resampling import SuperResolution, resampling_matrix

KERNELS = ("bicubic", "box", "gaussian", "lanczos")


def keys(t):
    t = abs(t)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0.0


def imresize_weights(size, factor, kernel, kernel_width):
    """MATLAB's imresize, one output pixel after another, in its own one-based coordinates."""
    scale = 1 / factor
    matrix = np.zeros((math.ceil(size * scale), size))
    mirror = [*range(1, size + 1), *range(size, 0, -1)]
    for x in range(1, len(matrix) + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - kernel_width / scale / 2)
        indices = range(left, left + math.ceil(kernel_width / scale) + 2)
        weights = np.array([scale * kernel(scale * (u - i)) for i in indices])
        for i, weight in zip(indices, weights / weights.sum(), strict=True):
            matrix[x - 1, mirror[(i - 1) % len(mirror)] - 1] += weight
    return matrix


@pytest.mark.parametrize("size", [1, 5, 16, 37])
@pytest.mark.parametrize("factor", [2, 3, 4, 7, 16])
def test_bicubic_and_lanczos_are_matlabs_to_the_border(size, factor):
    def lanczos(t):
        return np.sinc(t) * np.sinc(t / 3) if abs(t) < 3 else 0.0

    for name, kernel, width in (("bicubic", keys, 4), ("lanczos", lanczos, 6)):
        wanted = torch.from_numpy(imresize_weights(size, factor, kernel, width))
        torch.testing.assert_close(resampling_matrix(size, factor, name), wanted, rtol=0, atol=1e-14)


def test_bicubic_by_two_has_the_known_taps():
    row = resampling_matrix(32, 2, "bicubic")[8, 13:21]
    assert (row * 256).tolist() == pytest.approx([-3, -9, 29, 111, 111, 29, -9, -3], abs=1e-12)


@pytest.mark.parametrize("factor", range(2, 17))
def test_box_is_the_mean_of_a_block(factor):
    x = torch.rand(2, 3, 3 * factor, 2 * factor, dtype=torch.float64)
    operator = SuperResolution(factor, "box").build(3, 3 * factor, 2 * factor, dtype=torch.float64)
    torch.testing.assert_close(operator(x), avg_pool2d(x, factor), rtol=0, atol=1e-14)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_bicubic_is_torchs_antialiased_one_inside(factor):
    x = torch.rand(1, 3, 12 * factor, 10 * factor, dtype=torch.float64)
    operator = SuperResolution(factor).build(3, *x.shape[-2:], dtype=torch.float64)
    wanted = interpolate(x, scale_factor=1 / factor, mode="bicubic", antialias=True)
    torch.testing.assert_close(operator(x)[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "method"), [("bicubic", Image.BICUBIC), ("lanczos", Image.LANCZOS), ("box", Image.BOX)]
)
def test_is_pillows_inside(kernel, method):
    x = np.random.default_rng(0).random((48, 64), dtype=np.float32)
    wanted = np.asarray(Image.fromarray(x).resize((16, 12), method))
    got = SuperResolution(4, kernel).build(1, 48, 64)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got[3:-3, 3:-3], wanted[3:-3, 3:-3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("shape", [(48, 72), (37, 50), (5, 1), (3, 17)])
def test_bicubic_pil_is_pillows_to_the_border(factor, shape):
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    size = math.ceil(shape[0] / factor), math.ceil(shape[1] / factor)
    wanted = np.asarray(Image.fromarray(x).resize(size[::-1], Image.BICUBIC))
    got = SuperResolution(factor, "bicubic (PIL)").build(1, *shape)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_gaussian_by_four_has_the_published_std():
    row = resampling_matrix(64, 4, "gaussian")[8]
    distance = torch.arange(64) - (4 * 8 + 1.5)
    weights = torch.exp(-(distance.double() ** 2) / (2 * 1.6**2)) * (distance.abs() <= 6.4)
    torch.testing.assert_close(row, weights / weights.sum(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [2, 3, 4, 16])
@pytest.mark.parametrize("size", [1, 7, 30, 65])
def test_mirrored_images_and_constants(kernel, factor, size):
    matrix = resampling_matrix(size, factor, kernel)
    assert matrix.shape == (math.ceil(size / factor), size)
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64), rtol=0, atol=1e-14)
    if size % factor == 0:
        torch.testing.assert_close(matrix, matrix.flip(0, 1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_nothing_is_shifted(kernel, factor):
    matrix = resampling_matrix(12 * factor, factor, kernel)
    centers = matrix @ torch.arange(12 * factor, dtype=torch.float64)
    wanted = torch.arange(12, dtype=torch.float64) * factor + (factor - 1) / 2
    torch.testing.assert_close(centers[3:-3], wanted[3:-3], rtol=0, atol=1e-12)


def test_image_size():
    assert SuperResolution(4).image_size(30, 21) == (120, 84)
    assert SuperResolution(4).build(3, 117, 84).measurement_shape == (3, 30, 21)


@pytest.mark.parametrize("factor", [2, 3, 4, 16])
@pytest.mark.parametrize("kernel", [*KERNELS, "bicubic (PIL)"])
def test_footprint_is_what_a_pixel_in_the_middle_weighs(kernel, factor):
    """The adjoint of one measurement pixel, with nothing else around it."""
    degradation = SuperResolution(factor, kernel)
    operator = degradation.build(1, 11 * factor, 11 * factor, dtype=torch.float64)
    point = torch.zeros(1, 1, 11, 11, dtype=torch.float64)
    point[..., 5, 5] = 1
    seen = operator.adjoint(point)[0, 0]
    rows, columns = seen.nonzero().aminmax(dim=0)
    (top, left), (bottom, right) = rows.tolist(), columns.tolist()
    torch.testing.assert_close(seen[top : bottom + 1, left : right + 1], degradation.footprint(), rtol=0, atol=1e-12)
