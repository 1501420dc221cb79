"""JPEG against Pillow's codec, and its gradient against an independent linear codec."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, interpolate

from maprps.operators.jpeg import CHROMINANCE, JPEG, LUMINANCE, from_ycc, quantization_table, to_ycc, upsample

PILLOW = {"4:4:4": 0, "4:2:0": 2}
PHOTO = np.asarray(Image.open(Path(__file__).parents[2] / "workflows" / "photos" / "coffee.png").convert("RGB"))
QUALITIES = [1, 5, 10, 25, 50, 75, 90, 100]


def photo(height, width):
    return np.ascontiguousarray(PHOTO[100 : 100 + height, 150 : 150 + width])


def pillow(image, quality, subsampling="4:4:4"):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=PILLOW[subsampling])
    return Image.open(file)


def decoded(degradation, image):
    """As Pillow gives it: [H, W, C] or [H, W] in 0..255."""
    x = torch.from_numpy(np.atleast_3d(image)).movedim(-1, 0)[None].float() / 255
    return 255 * degradation.build(*x.shape[1:])(x)[0].movedim(0, -1).numpy().reshape(image.shape)


@pytest.mark.parametrize("quality", range(1, 101))
def test_tables_are_those_of_the_codec(quality):
    with pillow(photo(16, 16), quality) as image:
        for i, base in enumerate((LUMINANCE, CHROMINANCE)):
            assert quantization_table(base, quality).flatten().tolist() == list(image.quantization[i])


@pytest.mark.parametrize("subsampling", PILLOW)
@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("size", [(160, 208), (101, 77), (97, 130), (120, 9)])
def test_is_the_codec(size, quality, subsampling):
    image = photo(*size)
    difference = np.abs(decoded(JPEG(quality, subsampling), image) - np.asarray(pillow(image, quality, subsampling)))
    # Where a level rounds the other way, a whole block differs by a little: seldom, and more often the finer the steps.
    assert difference.mean() < 0.5
    if quality <= 10:
        assert difference.mean() < 0.1


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_grey_image_is_a_grey_file(quality):
    image = np.ascontiguousarray(photo(101, 150)[..., 1])
    difference = np.abs(decoded(JPEG(quality), image) - np.asarray(pillow(image, quality)))
    assert difference.mean() < 0.3


@pytest.mark.parametrize("subsampling", PILLOW)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 4), (4, 5), (5, 6), (7, 2), (1, 17), (17, 1), (8, 8)])
def test_small_sizes(size, subsampling):
    for quality in (10, 50, 90):
        image = photo(*size)
        ours = decoded(JPEG(quality, subsampling), image)
        difference = np.abs(ours - np.asarray(pillow(image, quality, subsampling)))
        assert difference.mean() < 1.5  # one level that rounds the other way is the whole image here


def test_flat_colors_are_exact():
    """Their levels are often halfway between whole numbers, but for the rounding of floating point."""
    for grey in range(0, 256, 5):
        image = np.full((16, 24, 3), grey, np.uint8)
        for quality in (1, 30, 50, 90):
            assert np.abs(decoded(JPEG(quality), image) - np.asarray(pillow(image, quality, "4:2:0"))).max() < 1e-3


def test_clips_as_the_codec_does():
    image = np.where(np.random.default_rng(0).random((64, 64, 1)) < 0.5, 0, 255).astype(np.uint8).repeat(3, 2)
    for quality in (5, 20, 60):
        ours = decoded(JPEG(quality), image)
        assert ours.min() >= 0 and ours.max() <= 255
        assert np.abs(ours - np.asarray(pillow(image, quality, "4:2:0"))).mean() < 0.3


def test_color_is_bt601_in_full_range():
    x = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    y, color = to_ycc(x)
    matrix = torch.tensor(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=torch.float64
    )  # ITU-T T.871
    wanted = torch.einsum("ij,bjhw->bihw", matrix, x)
    torch.testing.assert_close(torch.cat([y, color], 1), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(from_ycc(y, color), x)


@pytest.mark.parametrize("size", [(1, 3), (4, 5), (9, 16)])
def test_color_is_enlarged_linearly(size):
    planes = torch.rand(2, 2, *size, dtype=torch.float64)
    wanted = interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(planes), wanted)


def linear_codec(x, subsampling):
    """What is left of the codec without rounding and clipping."""
    if subsampling == "4:4:4":
        return x
    y, color = to_ycc(x)
    color = avg_pool2d(torch.nn.functional.pad(color, (0, -x.shape[3] % 2, 0, -x.shape[2] % 2), "replicate"), 2)
    color = interpolate(color, scale_factor=2, mode="bilinear", align_corners=False)
    return from_ycc(y, color[..., : x.shape[2], : x.shape[3]])


@pytest.mark.parametrize("subsampling", PILLOW)
@pytest.mark.parametrize("size", [(16, 32), (13, 21)])
def test_gradient_passes_straight_through_every_rounding(size, subsampling):
    operator = JPEG(20, subsampling).build(3, *size, dtype=torch.float64)
    x = (1.4 * torch.rand(1, 3, *size, dtype=torch.float64) - 0.2).requires_grad_()  # some of it out of range
    direction, pull = torch.randn(2, *x.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(operator(x), x, pull)
    torch.testing.assert_close((gradient * direction).sum(), (pull * linear_codec(direction, subsampling)).sum())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("subsampling", PILLOW)
def test_gradient_of_cubic_rounding(channels, subsampling):
    operator = JPEG(30, subsampling, "cubic").build(channels, 13, 18, dtype=torch.float64)
    x = (0.3 + 0.4 * torch.rand(1, channels, 13, 18, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(operator, x, fast_mode=True)


def test_cubic_rounding_stays_near_the_codec():
    x = torch.from_numpy(photo(64, 80)).movedim(-1, 0)[None].float() / 255
    hard, cubic = (JPEG(30, "4:4:4", rounding).build(3, 64, 80)(x) for rounding in ("straight-through", "cubic"))
    assert float((hard - x).square().mean()) > 2 * float((cubic - hard).square().mean()) > 0


def test_guess_is_the_decoded_file():
    operator = JPEG().build(3, 9, 7)
    y = operator(torch.rand(2, 3, 9, 7))
    assert torch.equal(operator.initial_guess(y), y)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: JPEG(0), "use a whole number from 1 to 100"),
        (lambda: JPEG(101), "use a whole number from 1 to 100"),
        (lambda: JPEG(10, "4:1:1"), "use one of 4:2:0, 4:4:4"),
        (lambda: JPEG(10, "4:2:0", "hard"), "use one of straight-through, cubic"),
        (lambda: JPEG().build(4, 8, 8), "a JPEG has 1 or 3: give it as RGB or grey"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
