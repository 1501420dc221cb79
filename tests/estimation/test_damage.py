"""What is taken to be wrong with photos that are damaged in known ways, and what is left alone."""

import pytest
import torch
from estimation.test_jpeg_quality import stored

from maprps.estimation import Damage, estimate_noise, find_damage, least, usable_noise
from maprps.estimation.jpeg_quality import JPEGTrace
from maprps.estimation.softness import Softness
from maprps.operators.blur import GaussianBlur
from maprps.operators.jpeg import luma_tables

PHOTOS = ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"]


def look_at(image):
    planes = ((image[0].clamp(0, 1) * 255).round() / 255).movedim(-1, 0)
    return find_damage(planes, planes, torch.zeros(planes.shape[1:], dtype=torch.bool), luma_tables())


def soft(image):
    planes = image.movedim(-1, 1)
    return GaussianBlur(13, 1.5).build(*planes.shape[1:])(planes).movedim(1, -1)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_clean_photo_has_nothing_wrong(photo, name):
    found = look_at(photo(name))
    assert not found.noisy and not found.soft and found.jpeg is None
    assert [line.split(":")[0] for line in found.describe()] == ["noise", "JPEG", "blur"]


@pytest.mark.parametrize("name", PHOTOS)
def test_noise_alone_is_noise_alone(photo, name):
    found = look_at(photo(name) + 0.05 * torch.randn(photo(name).shape))
    assert found.noisy and not found.soft and found.jpeg is None
    assert found.noise_std == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("quality", [20, 60, 90])
def test_jpeg_is_not_taken_for_a_blur(photo, name, quality):
    found = look_at(stored(photo(name), quality=quality))
    assert found.jpeg.quality == quality and not found.soft
    assert found.noise_std == pytest.approx(1.2 * found.jpeg.error, rel=0.1)


@pytest.mark.parametrize("name", PHOTOS)
def test_blur_is_found_with_and_without_jpeg(photo, name):
    image = soft(photo(name))
    assert look_at(image).soft and look_at(stored(image, quality=75)).soft


def test_grey_photos_tell_strong_noise_alone(photo):
    grey = photo("dahlia").mean(-1, keepdim=True)
    assert look_at(grey.expand(-1, -1, -1, 3)).noise is None
    noisy = look_at((grey + 0.1 * torch.randn(grey.shape)).expand(-1, -1, -1, 3))
    assert noisy.noisy and noisy.noise == pytest.approx(0.1, rel=0.25)


def test_of_several_photos_the_least_is_believed():
    one = Damage(0.05, JPEGTrace(20, 0.04), Softness(1.5, 200.0))
    other = Damage(0.02, JPEGTrace(60, 0.02), Softness(0.4, 3.0))
    assert least([one, other]) == other
    assert least([one, Damage()]) == Damage()


def test_beside_jpeg_a_blur_takes_more_to_be_believed():
    blur, sure = Softness(1.5, 15.0), Softness(1.5, 60.0)
    assert Damage(blur=blur).soft and not Damage(jpeg=JPEGTrace(60, 0.02), blur=blur).soft
    assert Damage(jpeg=JPEGTrace(60, 0.02), blur=sure).soft and not Damage(jpeg=JPEGTrace(20, 0.04), blur=sure).soft


def test_noise_to_restore_with_is_jpegs_error_or_the_noise_in_color(photo):
    clean = photo("pagoda")
    images = {
        "JPEG of quality 30": stored(clean, quality=30),
        "noise alone": clean + 0.03 * torch.randn(clean.shape),
        "texture may be": clean.mean(-1, keepdim=True),
    }
    expected = [
        1.2 * look_at(images["JPEG of quality 30"]).jpeg.error,
        0.03,
        estimate_noise(clean.mean(-1, True)).noise_std,
    ]
    for (why, image), std in zip(images.items(), expected, strict=True):
        found = usable_noise(image, None, estimate_noise(image), luma_tables())
        assert found.noise_std == pytest.approx(std, rel=0.05) and why in found.text


def test_noise_to_restore_with_is_the_root_mean_square_of_a_batch_beside_its_mask(photo):
    clean = photo("coffee")
    both = torch.cat([clean + std * torch.randn(clean.shape) for std in (0.02, 0.06)])
    mask = torch.zeros(1, *clean.shape[1:3])
    mask[:, :100] = 1
    both[:, :100] += 0.3 * torch.randn(both[:, :100].shape)
    found = usable_noise(both, mask, estimate_noise(both, mask), luma_tables())
    assert found.noise_std == pytest.approx((0.02**2 / 2 + 0.06**2 / 2) ** 0.5, rel=0.05)
    assert len(found.text.splitlines()) == 2
