import numpy as np
import torch
from scipy.ndimage import convolve
from torch.fft import irfft2, rfft2

from maprps.estimation.few_edges import PENALTIES, cut_off, gradient, periodic, response, sharpen, steps


def blurred(x, kernel):
    return irfft2(response(kernel, x.shape) * rfft2(x), s=x.shape)


def test_response_is_that_of_the_periodic_convolution():
    x, kernel = torch.rand(21, 16, dtype=torch.float64), torch.rand(5, 7, dtype=torch.float64)
    expected = convolve(x.numpy(), kernel.numpy(), mode="wrap")
    np.testing.assert_allclose(blurred(x, kernel).numpy(), expected, rtol=1e-12)


def test_gradient_is_the_convolution_with_its_steps():
    x = torch.rand(12, 17, dtype=torch.float64)
    for part, step in zip(gradient(x), steps(x), strict=True):
        torch.testing.assert_close(part, blurred(x, step))


def test_cut_off_is_the_proximal_step_of_counting_edges():
    """min over h of |h - g|^2 + least [h != 0], pixel by pixel: no other h is better, and it is g or 0."""
    edges = torch.randn(2, 40, 30, dtype=torch.float64)
    kept = torch.stack(cut_off((edges[0], edges[1]), 0.5))
    cost = (kept - edges).square().sum(0) + 0.5 * (kept != 0).any(0)
    assert (cost <= edges.square().sum(0) + 1e-12).all() and (cost <= 0.5 + 1e-12).all()


def test_sharp_image_solves_its_least_squares():
    y, kernel = torch.rand(30, 26, dtype=torch.float64), torch.rand(5, 5, dtype=torch.float64)
    x, edges = sharpen(y, kernel / kernel.sum())
    x = x.requires_grad_()
    misfit = sum((part - edge).square().sum() for part, edge in zip(gradient(x), edges, strict=True))
    cost = (blurred(x, kernel / kernel.sum()) - y).square().sum() + PENALTIES[-1] * misfit
    (slope,) = torch.autograd.grad(cost, x)
    assert slope.abs().max() <= 1e-10 * PENALTIES[-1]


def test_a_picture_of_flat_areas_is_its_own_sharp_image():
    x = torch.zeros(32, 32, dtype=torch.float64)
    x[8:20, 10:24] = 8.0
    point = torch.zeros(3, 3, dtype=torch.float64)
    point[1, 1] = 1
    torch.testing.assert_close(sharpen(x, point)[0], x, atol=1e-3, rtol=0)


def test_periodic_continuation_keeps_the_plane_and_has_no_jump():
    y = torch.linspace(0, 1, 20)[:, None] + torch.linspace(0, 3, 30)
    longer = periodic(y, 9)
    assert longer.shape == (29, 39) and torch.equal(longer[:20, :30], y)
    down, right = (part.abs().max() for part in reversed(gradient(longer)))
    assert down <= 0.1 + 1e-5 and right <= 0.3 + 1e-5  # a tenth of the way round, each
