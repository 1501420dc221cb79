"""Kernels that are found against those that blurred the photo."""

import math

import pytest
import torch
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq

from maprps.estimation import estimate_blur
from maprps.estimation.blur_kernel import pieces, scales, tidy
from maprps.estimation.blur_report import extent
from maprps.estimation.few_edges import periodic, response
from maprps.evaluation import psnr
from maprps.operators.blur import GaussianBlur
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur

NOISE = 0.01
BORDER = 24  # px that are not judged, for what lies outside the photo is not known


def disk(radius, finer=8):
    side = 2 * math.ceil(radius) + 1
    place = (torch.arange(side * finer) + 0.5) / finer - side / 2
    inside = torch.hypot(place[:, None].double(), place.double()) <= radius
    return inside.double().view(side, finer, side, finer).mean((1, 3))


LONG = {"12 px at 30 degrees": MotionBlur(12.0, 30.0, 0.0), "20 px at 110 degrees": MotionBlur(20.0, 110.0, 0.0)}
ROUND = {"disk": KernelBlur.from_array(disk(4.0)), "Gaussian": GaussianBlur(25, 2.0)}
BLURS = LONG | ROUND


def blur(image, degradation, noise=NOISE):
    operator = degradation.build(3, *image.shape[1:3])
    y = operator(image.movedim(-1, 1)).movedim(1, -1)
    return y + noise * torch.randn(y.shape)


def correlation(a, b):
    """Cosine of two kernels at the shift where they are most alike."""
    size = (128, 128)
    product = irfft2(rfft2(a.double(), s=size) * rfft2(b.double(), s=size).conj(), s=size)
    return float(product.max() / (a.double().norm() * b.double().norm()))


def wiener(image, kernel):
    """Wiener filter for noise of NOISE and gradients of std 0.04, which is about that of photos."""
    planes = torch.stack([periodic(plane, 2 * BORDER) for plane in image[0].unbind(-1)])
    size = planes.shape[1:]
    gain, rows, columns = response(kernel.float(), size), fftfreq(size[0])[:, None], rfftfreq(size[1])
    slope = 4 - 2 * torch.cos(2 * math.pi * rows) - 2 * torch.cos(2 * math.pi * columns)
    restored = irfft2(gain.conj() * rfft2(planes) / (gain.abs().square() + (NOISE / 0.04) ** 2 * slope), s=size)
    return restored[:, : image.shape[1], : image.shape[2]].movedim(0, -1)[None]


def inner(image):
    return image[:, BORDER:-BORDER, BORDER:-BORDER]


@pytest.fixture(scope="module", params=["astronaut", "coffee"])
def case(request, photo):
    """case(name of a blur): clean photo, blurred photo, what was found. Found once."""
    known = {}

    def found(name):
        if name not in known:
            torch.manual_seed(0)
            clean = photo(request.param)
            damaged = blur(clean, BLURS[name])
            known[name] = clean, damaged, estimate_blur(damaged, 25)
        return known[name]

    return found


@pytest.mark.parametrize("name", BLURS)
def test_kernel_is_found(case, name):
    kernel = case(name)[2].kernel
    assert correlation(kernel, BLURS[name].kernel()) > (0.8 if name in LONG else 0.9)
    assert kernel.shape == (25, 25) and (kernel >= 0).all() and float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(25.0) - 12
    assert all(abs(float((kernel.sum(side) * offsets).sum())) <= 0.5 for side in (0, 1))


@pytest.mark.parametrize("name", BLURS)
def test_restoring_with_it_beats_the_blurred_photo(case, name):
    clean, damaged, found = case(name)
    before, after = (float(psnr(inner(image), inner(clean))) for image in (damaged, wiener(damaged, found.kernel)))
    assert after > before + 0.7  # dB


@pytest.mark.parametrize("name", LONG)
def test_length_and_direction_of_a_motion_are_found(case, name):
    along, across, angle = extent(case(name)[2].kernel)
    assert math.sqrt(12) * along == pytest.approx(LONG[name].length, rel=0.15)
    assert angle == pytest.approx(LONG[name].angle, abs=6)
    assert across < 1.5
    assert "well founded" in case(name)[2].text


@pytest.mark.parametrize("name", ROUND)
def test_width_of_a_round_blur_is_found(case, name):
    along, across, _ = extent(case(name)[2].kernel)
    assert along == pytest.approx(2.0, rel=0.25) and across == pytest.approx(2.0, rel=0.25)
    assert "round" in case(name)[2].text


@pytest.mark.parametrize("name", ["astronaut", "dahlia"])
def test_sharp_photo_is_said_to_be_sharp(photo, name):
    assert "hardly any blur" in estimate_blur(photo(name), 25).text


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"])
def test_no_sharp_photo_speaks_for_a_motion(photo, name):
    assert "well founded" not in estimate_blur(photo(name), 25).text


def test_kernel_without_room_asks_for_more(photo):
    assert "use a larger size" in estimate_blur(blur(photo("astronaut"), MotionBlur(40.0, 20.0, 0.0)), 25).text


def test_it_tells_how_far_it_is_and_can_be_stopped(photo):
    seen = []
    estimate_blur(photo("astronaut")[:, :64, :64], 9, lambda step, total: seen.append((step, total)))
    total = 5 * len(scales(9))
    assert seen == [(step, total) for step in range(1, total + 1)]

    def cancel(step, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        estimate_blur(photo("astronaut")[:, :64, :64], 9, cancel)


def test_what_has_no_blur_to_find_is_refused():
    with pytest.raises(ValueError, match="2 photos"):
        estimate_blur(torch.rand(2, 64, 64, 3), 9)
    with pytest.raises(ValueError, match="64x16 pixels, too small to find a kernel of 9"):
        estimate_blur(torch.rand(1, 16, 64, 3), 9)
    with pytest.raises(ValueError, match="No edges"):
        estimate_blur(torch.full((1, 64, 64, 3), 0.5), 9)
    with pytest.raises(ValueError, match="No edges"):
        estimate_blur(0.5 + 0.05 * torch.randn(1, 128, 128, 3), 31)


@pytest.mark.parametrize("size", [3, 5, 9, 31, 127])
def test_scales_are_odd_and_grow_to_the_size(size):
    sizes = scales(size)
    assert sizes[0] == 3 and sizes[-1] == size and all(n % 2 == 1 for n in sizes)
    assert all(a < b <= max(1.6 * a, a + 2) for a, b in zip(sizes, sizes[1:], strict=False))


def test_tidy_drops_noise_and_centers_what_is_left():
    kernel = torch.zeros(9, 9)
    kernel[1, 1:4] = 1.0  # the motion
    kernel[5, 5], kernel[7, 1], kernel[8, 8] = 0.2, 0.05, -1.0  # small piece apart, weak, negative
    expected = torch.zeros(9, 9)
    expected[4, 3:6] = 1 / 3
    torch.testing.assert_close(tidy(kernel), expected)


def test_pieces_are_joined_by_corners_too():
    support = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]], dtype=torch.bool)
    numbers = pieces(support)
    assert (numbers[~support] == 0).all() and len(numbers[support].unique()) == 4
    assert numbers[0, 0] == numbers[1, 1] and numbers[3, 0] == numbers[3, 1] and numbers[2, 3] == numbers[3, 3]
