"""The measures against their definitions and an independent implementation."""

import math
import sys

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity

from maprps.evaluation import gradient_distance, psnr, rmse, sharpness, ssim


@pytest.fixture
def cat(photo):
    return photo("cat").double()


def test_psnr_and_rmse_are_per_image_over_all_channels():
    reference = torch.rand(3, 20, 30, 3, dtype=torch.float64) * 0.5 + 0.25
    error = torch.randn_like(reference) * torch.tensor([0.01, 0.02, 0.05])[:, None, None, None]
    mse = (error.numpy() ** 2).reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(rmse(reference + error, reference).numpy(), np.sqrt(mse), rtol=1e-12)
    np.testing.assert_allclose(psnr(reference + error, reference).numpy(), 10 * np.log10(1 / mse), rtol=1e-12)


def test_an_error_of_a_tenth_is_20_db_and_none_is_infinite():
    gray = torch.full((1, 4, 4, 3), 0.5)
    assert float(psnr(gray + 0.1, gray)) == pytest.approx(20, abs=1e-4)
    assert float(psnr(gray, gray)) == math.inf


@pytest.mark.parametrize("measure", [rmse, psnr, ssim, gradient_distance])
def test_what_is_judged_is_the_picture_in_0_to_1(measure):
    image, reference = torch.randn(2, 1, 20, 20, 3) + 0.5
    assert torch.equal(measure(image, reference.clamp(0, 1)), measure(image.clamp(0, 1), reference.clamp(0, 1)))


@pytest.mark.parametrize("measure", [rmse, psnr, ssim, gradient_distance])
def test_one_reference_serves_a_whole_batch(measure):
    images, reference = torch.rand(3, 20, 17, 3), torch.rand(1, 20, 17, 3)
    alone = torch.cat([measure(image[None], reference) for image in images])
    torch.testing.assert_close(measure(images, reference), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("measure", [rmse, psnr, ssim, gradient_distance])
def test_images_that_cannot_be_compared(measure):
    with pytest.raises(ValueError, match="17x20 with 3 channels and the reference 20x17"):
        measure(torch.rand(1, 20, 17, 3), torch.rand(1, 17, 20, 3))
    with pytest.raises(ValueError, match="3 images and 2 references"):
        measure(torch.rand(3, 20, 17, 3), torch.rand(2, 20, 17, 3))


def test_half_precision_is_judged_in_single():
    image, reference = torch.rand(2, 1, 64, 64, 3).half()
    assert rmse(image, reference).dtype == torch.float32
    assert torch.equal(rmse(image, reference), rmse(image.float(), reference.float()))


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(cat, channels):
    cat = cat[..., :channels]
    for noise in (0.01, 0.1, 0.3):
        image = (cat + noise * torch.randn_like(cat)).clamp(0, 1)
        wanted = structural_similarity(
            image[0].numpy(),
            cat[0].numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
        assert float(ssim(image, cat)) == pytest.approx(wanted, abs=1e-10)
        assert float(ssim(image.float(), cat.float())) == pytest.approx(wanted, abs=1e-4)


def test_ssim_of_flat_images_is_its_luminance_term():
    a, b = 0.3, 0.5
    wanted = (2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2)
    flat = torch.ones(1, 11, 11, 3, dtype=torch.float64)
    assert float(ssim(a * flat, b * flat)) == pytest.approx(wanted, rel=1e-9)


def test_ssim_needs_room_for_its_window():
    with pytest.raises(ValueError, match="at least 11x11 pixels; this image is 40x10"):
        ssim(torch.rand(1, 10, 40, 3), torch.rand(1, 10, 40, 3))


def test_ssim_names_the_package_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.metrics", None)
    with pytest.raises(ImportError, match="pip install kornia"):
        ssim(torch.rand(1, 20, 20, 3), torch.rand(1, 20, 20, 3))


def test_sharpness_is_total_variation_per_pixel():
    ramp = 0.02 * torch.arange(20.0)[:, None] + 0.01 * torch.arange(30.0)
    assert float(sharpness(ramp[None, ..., None])) == pytest.approx(0.03, rel=1e-5)
    checkers = (torch.arange(20)[:, None] + torch.arange(30)) % 2
    assert float(sharpness(checkers[None, ..., None].float())) == 2


def test_gradient_distance_ignores_a_shift_and_where_things_are(cat):
    darker = 0.8 * cat
    assert float(gradient_distance(darker + 0.1, darker)) == pytest.approx(0, abs=1e-14)
    assert float(gradient_distance(cat, cat)) == 0
    # Turned by half a turn, every difference changes its sign; mirrored besides, the horizontal ones change back.
    mirrored = torch.cat([cat, cat.flip(2)], dim=2)
    assert float(gradient_distance(mirrored.flip(2), mirrored)) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("scale", [0.0, 0.25, 0.9])
def test_gradient_distance_of_scaled_contrast(cat, scale):
    assert float(gradient_distance(scale * cat, cat)) == pytest.approx((1 - scale) * float(sharpness(cat)), rel=1e-12)


def test_gradient_distance_is_a_metric_on_statistics(cat):
    a, b, c = cat, 0.7 * cat, (0.6 * cat + 0.05 * torch.randn_like(cat)).clamp(0, 1)
    assert float(gradient_distance(a, c)) == float(gradient_distance(c, a))
    assert float(gradient_distance(a, c)) <= float(gradient_distance(a, b) + gradient_distance(b, c)) * (1 + 1e-12)
    assert abs(float(sharpness(a) - sharpness(c))) <= float(gradient_distance(a, c))


def test_gradient_distance_is_the_wasserstein_distance(cat):
    a, b = (
        cat[0].numpy(),
        np.clip(cat[0].numpy() ** 2 + 0.02 * np.random.default_rng(0).normal(size=cat[0].shape), 0, 1),
    )
    wanted = sum(wasserstein_distance(np.diff(a, axis=axis).ravel(), np.diff(b, axis=axis).ravel()) for axis in (0, 1))
    assert float(gradient_distance(torch.from_numpy(a)[None], torch.from_numpy(b)[None])) == pytest.approx(
        wanted, rel=1e-9
    )
