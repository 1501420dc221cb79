"""The quality that is found against that of Pillow's files, and the error against what the file changed."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from maprps.estimation.damage import luma_of
from maprps.estimation.jpeg_quality import CHROMA, cosines, jpeg_trace, lost
from maprps.linalg.cosine_basis import cosines as basis
from maprps.operators.jpeg import luma_tables

PHOTOS = ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"]


def stored(image, **options):
    file = io.BytesIO()
    picture = Image.fromarray((image[0] * 255).round().byte().numpy())
    picture.save(file, "JPEG", **options)
    return torch.from_numpy(np.array(Image.open(file), np.float32) / 255)[None]


def trace(image):
    planes = image[0].movedim(-1, 0)
    return jpeg_trace(luma_of(planes), ((planes == 0) | (planes == 1)).any(0), luma_tables())


@pytest.mark.parametrize("quality", [8, 20, 35, 60, 75, 88, 94])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("name", PHOTOS)
def test_quality_and_error_of_a_file_are_found(photo, name, quality, subsampling):
    image = photo(name)
    file = stored(image, quality=quality, subsampling=subsampling)
    found = trace(file)
    changed = luma_of((file - image)[0].movedim(-1, 0)).square().mean().sqrt()
    assert found.quality == quality
    assert 0.65 < found.error / (CHROMA * float(changed)) < 1.5


@pytest.mark.parametrize("name", PHOTOS)
def test_it_is_found_wherever_the_grid_lies(photo, name):
    assert trace(stored(photo(name), quality=60)[:, 3:, 5:]).quality == 60


def test_grey_files_are_found(photo):
    grey = photo("cat").mean(-1, keepdim=True).expand(-1, -1, -1, 3)
    assert trace(stored(grey, quality=50)).quality == 50


@pytest.mark.parametrize("name", PHOTOS)
def test_untouched_noisy_and_resized_photos_have_no_trace(photo, name):
    image = photo(name)
    noisy = ((image + 0.02 * torch.randn(image.shape)).clamp(0, 1) * 255).round() / 255
    small = Image.fromarray((stored(image, quality=60)[0] * 255).round().byte().numpy()).resize((150, 110))
    resized = torch.from_numpy(np.array(small, np.float32) / 255)[None]
    assert [trace(one) for one in (image, noisy, resized)] == [None, None, None]


def test_too_little_is_not_guessed_from():
    assert trace(torch.rand(1, 7, 90, 3)) is None
    assert trace(torch.full((1, 64, 64, 3), 0.5)) is None
    assert trace(torch.ones(1, 64, 64, 3)) is None


def test_cosines_are_orthonormal():
    blocks = torch.rand(5, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(cosines(blocks), basis(8).double() @ blocks @ basis(8).double().T)


@pytest.mark.parametrize("step", [2.0, 10.0, 30.0])
def test_error_is_that_of_coefficients_with_laplace_distributions(step):
    """Scales as photos have them, falling with the frequency; many are zero at the larger steps."""
    place = torch.arange(8, dtype=torch.float64)
    radius = (place**2 + place[:, None] ** 2).sqrt().clamp_min(1)
    laplace = torch.distributions.Laplace(torch.zeros(8, 8, dtype=torch.float64), 40 / radius**1.3)
    exact = laplace.sample((20_000,))
    steps = torch.full((8, 8), step, dtype=torch.float64)
    coded = steps * (exact / steps).round()
    assert lost(coded, steps) == pytest.approx(float((coded - exact).square().mean().sqrt()), rel=0.03)
