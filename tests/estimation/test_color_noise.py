import math

import pytest
import torch

from maprps.estimation.color_noise import color_noise

NOWHERE = torch.zeros(120, 90, dtype=torch.bool)


def textured(height=120, width=90):
    """White texture of one color: the strongest there can be."""
    return torch.tensor([0.3, 0.5, 0.2])[:, None, None] * torch.randn(height, width)


@pytest.mark.parametrize("std", [0.003, 0.02, 0.1])
def test_texture_of_one_color_is_no_noise(std):
    image = textured() + std * torch.randn(3, 120, 90)
    assert color_noise(image, NOWHERE) == pytest.approx(std, rel=0.03)


def test_it_scales_with_the_image():
    image = textured() + 0.05 * torch.randn(3, 120, 90)
    assert color_noise(7 * image, NOWHERE) == pytest.approx(7 * color_noise(image, NOWHERE), rel=1e-9)


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"])
@pytest.mark.parametrize("std", [0.02, 0.05, 0.1])
def test_what_a_photo_adds_to_its_noise_adds_as_variances_do(photo, name, std):
    """At most so: what is left of its texture in the weakest directions of color is a noise of its own."""
    image = photo(name)[0].movedim(-1, 0)
    nowhere = torch.zeros(image.shape[1:], dtype=torch.bool)
    clean = color_noise(image, nowhere)
    assert clean < 0.012
    assert 0.97 * std < color_noise(image + std * torch.randn(image.shape), nowhere) < 1.03 * math.hypot(std, clean)


def test_what_is_hidden_is_not_looked_at():
    image = 0.02 * torch.randn(3, 120, 90)
    image[:, :40] = 1
    hidden = NOWHERE.clone()
    hidden[:40] = True
    assert color_noise(image, hidden) == pytest.approx(0.02, rel=0.03)


def test_too_little_is_not_guessed_from():
    hidden = NOWHERE.clone()
    hidden[::4] = True
    assert color_noise(textured(), hidden) is None
    assert color_noise(torch.rand(3, 4, 90), NOWHERE[:4]) is None


def test_large_photos_are_sampled():
    image = textured(700, 900) + 0.05 * torch.randn(3, 700, 900)
    assert color_noise(image, torch.zeros(700, 900, dtype=torch.bool)) == pytest.approx(0.05, rel=0.02)
