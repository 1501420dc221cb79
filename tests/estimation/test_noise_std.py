"""The noise that is found against the noise that was added, and against independent implementations."""

import io

import numpy as np
import pytest
import pywt
import torch
from PIL import Image
from skimage.restoration import estimate_sigma

from maprps.estimation import estimate_noise
from maprps.operators.random_inpainting import RandomInpainting

PHOTOS = ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"]


def noisy(image, std):
    return image + std * torch.randn(image.shape)


def jpeg(image, quality, subsampling):
    file = io.BytesIO()
    picture = Image.fromarray((image[0].clamp(0, 1) * 255).round().byte().numpy())
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return torch.from_numpy(np.array(Image.open(file), np.float32) / 255)[None]


def eight_bit(image):
    return (image.clamp(0, 1) * 255).round() / 255


def test_is_the_median_of_the_finest_diagonal_coefficients(photo):
    image = noisy(photo("cat"), 0.05)[..., :1] + 5  # nothing clipped
    details = pywt.dwtn(image[0, ..., 0].double().numpy(), "db2")["dd"]
    inside = np.abs(details[1:-1, 1:-1])  # the others touch the border
    assert estimate_noise(image).noise_std == pytest.approx(np.median(inside) / 0.6744897501960817, rel=1e-5)


@pytest.mark.parametrize("name", PHOTOS)
def test_agrees_with_scikit_image(photo, name):
    image = noisy(photo(name), 0.05) + 5
    theirs = estimate_sigma(image[0].numpy(), channel_axis=-1)
    np.testing.assert_allclose(estimate_noise(image).per_channel[0].numpy(), theirs, rtol=0.02)


@pytest.mark.parametrize("std, most", [(0.02, 1.7), (0.05, 1.25), (0.1, 1.12), (0.2, 1.06)])
@pytest.mark.parametrize("name", PHOTOS)
def test_noise_of_a_photo_is_found_and_texture_only_adds_to_it(photo, name, std, most):
    assert 0.98 * std <= estimate_noise(noisy(photo(name), std)).noise_std <= most * std


def test_one_number_for_a_batch_is_the_root_mean_square():
    stds = torch.tensor([[0.02, 0.04, 0.08], [0.01, 0.03, 0.05]])
    images = 0.5 + stds[:, None, None] * torch.randn(2, 256, 200, 3)
    found = estimate_noise(images)
    torch.testing.assert_close(found.per_channel, stds, rtol=0.05, atol=0)
    assert found.noise_std == pytest.approx(float(found.per_channel.square().mean().sqrt()), rel=1e-6)
    assert found.text.splitlines()[1].startswith("2. noise_std")
    assert torch.equal(estimate_noise(images[1:]).per_channel[0], found.per_channel[1])


@pytest.mark.parametrize("name", ["astronaut", "coffee", "dahlia"])
def test_clipped_values_are_left_out_and_said(photo, name):
    image = noisy(photo(name), 0.1)
    clipped = image.clamp(0, 1)
    unclipped = estimate_noise(image).noise_std
    assert "clipped" not in estimate_noise(image).text
    assert "lower bound" in estimate_noise(clipped).text and "clipped" in estimate_noise(clipped).text
    assert "Do not connect" not in estimate_noise(clipped).text  # for that bias is small
    assert estimate_noise(clipped).noise_std == pytest.approx(unclipped, rel=0.06)
    assert np.mean(estimate_sigma(clipped[0].numpy(), channel_axis=-1)) < 0.95 * unclipped  # which keeps them


def test_missing_pixels_of_a_measurement_are_left_out(photo):
    operator = RandomInpainting(0.1).build(3, 256, 256)
    image = noisy(photo("astronaut"), 0.05)
    measured = operator.keep(image.movedim(-1, 1)).movedim(1, -1)
    assert estimate_noise(measured).noise_std == pytest.approx(estimate_noise(image).noise_std, rel=0.05)


def test_mask_says_where_not_to_look():
    stds = torch.where(torch.arange(256) < 128, 0.1, 0.02)[None, :, None]
    image = 0.5 + stds * torch.randn(1, 256, 256, 3)
    left = (torch.arange(256) < 128).float().expand(1, 256, 256)
    assert estimate_noise(image, left).noise_std == pytest.approx(0.02, rel=0.03)
    assert estimate_noise(image, 1 - left).noise_std == pytest.approx(0.1, rel=0.03)
    both = estimate_noise(image.expand(2, -1, -1, -1), torch.cat([left, 1 - left])).per_channel
    assert (both[1] > 4 * both[0]).all()


@pytest.mark.parametrize("std", [0.0, 0.01, 0.05, 0.1])
@pytest.mark.parametrize("name", PHOTOS)
def test_untouched_photos_are_not_called_compressed(photo, name, std):
    image = eight_bit(noisy(photo(name), std))
    text = estimate_noise(torch.cat([image, image.mean(-1, keepdim=True).expand_as(image)])).text
    assert "JPEG" not in text


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("name", PHOTOS)
def test_jpeg_is_seen_wherever_its_grid_lies(photo, name, quality):
    image = noisy(photo(name), 0.01)
    compressed = jpeg(image, quality, 0)[:, 3:, 5:]
    found = estimate_noise(compressed)
    assert "lower bound" in found.text and "JPEG-compressed" in found.text
    assert found.noise_std < estimate_noise(image).noise_std
    assert "Do not connect it: give noise_std by hand" in found.text


@pytest.mark.parametrize("quality", [75, 95])
def test_what_is_advised_for_a_jpeg_is_what_compression_changes(photo, quality):
    changed = [float((jpeg(photo(name), quality, 2) - photo(name)).square().mean().sqrt()) for name in PHOTOS]
    assert np.mean(changed) == pytest.approx({75: 0.03, 95: 0.01}[quality], rel=0.5)


@pytest.mark.parametrize("name", PHOTOS)
def test_color_at_half_resolution_is_seen_where_noise_hides_the_grid(photo, name):
    image = noisy(photo(name), 0.05)
    found = estimate_noise(jpeg(image, 98, 2))
    assert "lower bound" in found.text and "hardly any color" in found.text
    assert found.noise_std < 0.9 * estimate_noise(image).noise_std


def test_nothing_to_look_at_is_said():
    image = torch.rand(1, 20, 30, 3)
    with pytest.raises(ValueError, match="mask is 20x30 pixels and the image 30x20"):
        estimate_noise(image, torch.zeros(1, 30, 20))
    with pytest.raises(ValueError, match="No part of the image"):
        estimate_noise(image, torch.ones(1, 20, 30))
    with pytest.raises(ValueError, match="No part of the image"):
        estimate_noise((image > 0.5).float())
    with pytest.raises(ValueError, match="30x3 pixels"):
        estimate_noise(image[:, :3])
