import math

import pytest
import torch

from maprps.estimation.damage import luma_of
from maprps.estimation.grain import grain
from maprps.estimation.softness import ring_powers, softness
from maprps.operators.blur import GaussianBlur
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.resampling import SuperResolution

PHOTOS = ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"]


def power_law(decay, std, noise_std, size=200):
    """A plane whose power is r^-decay exp(-(2 pi std r)^2) times a constant, plus white noise."""
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)).clamp_min(1 / size).double()
    gain = 0.03 * radius ** (-decay / 2) * torch.exp(-2 * (math.pi * std * radius) ** 2)
    plane = torch.fft.irfft2(gain * torch.fft.rfft2(torch.randn(size, size, dtype=torch.float64)), s=(size, size))
    return plane + noise_std * torch.randn(size, size)


def changed(image, degradation):
    planes = image.movedim(-1, 1)
    return degradation.build(*planes.shape[1:])(planes)[0]


def test_white_noise_has_its_variance_on_every_ring():
    radius, power = ring_powers(0.2 * torch.randn(500, 400, dtype=torch.float64))
    assert power.numpy() == pytest.approx(0.04, rel=0.2)
    assert (radius.diff() > 0).all()
    assert float(power.mean()) == pytest.approx(0.04, rel=0.02)


@pytest.mark.parametrize("decay", [2.2, 2.8])
@pytest.mark.parametrize("std", [0.0, 1.0, 1.5, 2.5])
def test_blur_of_a_power_law_is_found(decay, std):
    found = softness(power_law(decay, std, 0.002), 0.002**2)
    assert found.std == pytest.approx(std, abs=0.2)
    assert (found.evidence > 100) == (std > 0)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_lens_out_of_focus_has_the_std_of_its_disk(photo, name):
    offsets = torch.arange(-4, 5)[:, None] + torch.linspace(-0.45, 0.45, 10)
    square = offsets.flatten().square()
    inside = (square[:, None] + square <= 9).float().view(9, 10, 9, 10).mean((1, 3))
    blurred = changed(photo(name), KernelBlur.from_array(inside / inside.sum()))
    found = softness(luma_of(blurred), 1e-6)
    assert found.disk and found.std == pytest.approx(1.5, abs=0.2)


def test_noise_is_no_sharpness():
    assert softness(power_law(2.5, 1.5, 0.02), 0.02**2).std == pytest.approx(1.5, abs=0.3)


@pytest.mark.parametrize("name", PHOTOS)
def test_blurred_photos_are_told_from_sharp_ones(photo, name):
    sharp = softness(luma_of(photo(name)[0].movedim(-1, 0)), 1e-6)
    blurred = softness(luma_of(changed(photo(name), GaussianBlur(13, 1.5))), 1e-6)
    assert sharp.std < 0.8
    assert blurred.std == pytest.approx(1.5, abs=0.3) and blurred.evidence > 100


def test_small_planes_do_not_tell():
    assert softness(torch.rand(63, 90), 0.0) is None
    assert grain(torch.rand(90, 63)) is None


@pytest.mark.parametrize("name", PHOTOS)
def test_grain_stands_out_from_texture_where_it_is_strong(photo, name):
    plane = luma_of(photo(name)[0].movedim(-1, 0))
    assert grain(plane) is None
    assert grain(plane + 0.1 * torch.randn(plane.shape)) == pytest.approx(0.1, rel=0.3)
    small = luma_of(changed(photo(name), SuperResolution(2)))
    assert grain(small) is None


def test_grain_alone_is_found_with_its_std():
    assert grain(0.05 * torch.randn(256, 300)) == pytest.approx(0.05, rel=0.05)
