"""Noise below a JPEG, of photos with noise of a known std and of clean ones."""

import pytest
import torch
from estimation.test_damage import PHOTOS, look_at
from estimation.test_jpeg_quality import stored

from maprps.estimation.kept_noise import FEWEST, kept_noise


@pytest.mark.parametrize("std", [0.03, 0.05])
def test_white_coefficients(std):
    """By the chi^2 of what is rounded finely."""
    coefficients = std * torch.randn(4000, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    steps = torch.full((8, 8), 0.01, dtype=torch.float64)
    rounded = (coefficients / steps).round() * steps
    assert kept_noise(rounded, steps) == pytest.approx(std, rel=0.03)
    assert kept_noise(rounded[: FEWEST - 1], steps) is None


def test_texture_that_falls_with_frequency_is_no_noise():
    place = torch.arange(8.0, dtype=torch.float64)
    fall = 1 / (1 + place + place[:, None])
    noise = torch.randn(4000, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert kept_noise(0.5 * fall * noise, torch.full((8, 8), 0.01, dtype=torch.float64)) is None


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("quality", [90, 95])
def test_noisy_photos_that_were_saved(photo, name, quality):
    noisy = (photo(name) + 0.06 * torch.randn(photo(name).shape)).clamp(0, 1)
    found = look_at(stored(noisy, quality=quality))
    assert found.jpeg.quality == quality
    assert found.noisy and found.noise == pytest.approx(0.06, rel=0.25)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_clean_photos_that_were_saved(photo, name, quality):
    assert not look_at(stored(photo(name), quality=quality)).noisy
