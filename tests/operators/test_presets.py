"""Named presets: their noise in image units, and operators that do what the sources describe."""

import numpy as np
import pytest
import torch

from maprps.operators.blur import GaussianBlur
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.presets import PRESETS, Preset
from maprps.operators.released_inpainting import ReleasedInpainting


def test_noise_of_images_from_minus_one_to_one_is_halved():
    assert Preset("a", GaussianBlur(), 0.3, "-1..1").noise_std == 0.15
    assert Preset("a", GaussianBlur(), 0.3, "0..1").noise_std == 0.3


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_measures_a_picture_and_says_what_it_is(name):
    preset = PRESETS[name].seeded(3)
    operator = preset.degradation.build(3, 32, 32)
    assert torch.isfinite(operator(torch.rand(1, 3, 32, 32))).all()
    text = preset.describe()
    assert preset.degradation.describe() in text and f"noise_std {preset.noise_std:g}:" in text


def test_seed_changes_what_is_random_and_nothing_else():
    mask, blur = PRESETS["DPS inpainting, random"], PRESETS["DPS Gaussian deblurring"]
    assert mask.seeded(1) != mask.seeded(2)
    assert blur.seeded(1) == blur


def test_uniform_kernel_of_ddrm_is_flat():
    operator = PRESETS["DDRM deblur_uni"].degradation.build(1, 25, 25, dtype=torch.float64)
    point = torch.zeros(1, 1, 25, 25, dtype=torch.float64)
    point[..., 12, 12] = 1
    wanted = torch.zeros(25, 25, dtype=torch.float64)
    wanted[8:17, 8:17] = 1 / 81
    torch.testing.assert_close(operator(point)[0, 0], wanted, rtol=0, atol=1e-12)


def test_published_box_is_128_pixels_of_256():
    box = PRESETS["DAPS inpainting, box"].degradation.build(3, 256, 256)
    assert torch.equal(box.known, BoxInpainting(128, 128, 64, 64, "pixels").build(3, 256, 256).known)


@pytest.mark.parametrize("size", [(256, 256), (9, 7)])
def test_released_inpainting_hides_a_sixth_of_the_entries_in_the_upper_third(size):
    height, width = size
    known = ReleasedInpainting(5).build(3, height, width).known[0]
    assert (~known).sum() == height * width // 2
    by_entry = known.permute(1, 2, 0).reshape(-1).numpy()
    assert np.flatnonzero(~by_entry).max() < height * width
    assert not torch.equal(known[0], known[1])  # entries, not pixels


def test_phase_retrieval_has_the_signal_and_the_noise_of_dps():
    """DPS measures |F u| of the framed u = 2 x - 1, with noise of 0.05: twice ours, noise and all."""
    preset = PRESETS["DPS phase retrieval"]
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    framed = torch.nn.functional.pad(2 * x - 1, (4, 4, 4, 4))
    magnitude = torch.fft.fftshift(torch.fft.fft2(framed, norm="ortho").abs(), (-2, -1))
    ours = preset.degradation.build(3, 16, 16, dtype=torch.float64)(x)
    torch.testing.assert_close(2 * ours, magnitude)
    assert preset.noise_std == 0.05 / 2
