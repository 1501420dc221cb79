"""Kernels that are found against those that blurred the photo."""

import math

import pytest
import torch
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq

from maprps.estimation import estimate_blur
from maprps.estimation.blur_kernel import EDGE_COSTS, EdgeCost, right_path
from maprps.estimation.blur_report import extent
from maprps.estimation.blur_shapes import bent, path, straight
from maprps.estimation.few_edges import periodic, response
from maprps.estimation.shape_search import Fit, search_steps
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


LONG = {
    "5 px at 0 degrees": MotionBlur(5.0, 0.0, 0.0),
    "9 px at 30 degrees": MotionBlur(9.0, 30.0, 0.0),
    "12 px at 30 degrees": MotionBlur(12.0, 30.0, 0.0),
}
ROUND = {"disk": KernelBlur.from_array(disk(4.0)), "Gaussian": GaussianBlur(25, 2.0)}
BENT = {"bent, 12 px": MotionBlur(12.0, 30.0, 0.5)}
SIZE = 25
BLURS = LONG | ROUND | BENT


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


@pytest.fixture(scope="module")
def sharp(photo):
    """sharp(name): the middle of a photo."""
    return lambda name: photo(name)[:, 32:192, 48:208]


@pytest.fixture(scope="module")
def case(sharp):
    """case(name of a blur): clean photo, blurred photo, what was found. Found once."""
    known = {}

    def found(name):
        if name not in known:
            torch.manual_seed(0)
            clean = sharp("astronaut")
            damaged = blur(clean, BLURS[name])
            known[name] = clean, damaged, estimate_blur(damaged, SIZE)
        return known[name]

    return found


@pytest.mark.parametrize("name", BLURS)
def test_kernel_is_found(case, name):
    kernel = case(name)[2].kernel
    assert correlation(kernel, BLURS[name].kernel()) > (0.85 if name in BENT else 0.95)
    assert kernel.shape == (SIZE, SIZE) and (kernel >= 0).all() and float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(SIZE) - SIZE // 2
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
    assert abs((angle - LONG[name].angle + 90) % 180 - 90) <= 6  # 180 degrees is 0
    assert across < 1.5
    assert "well founded" in case(name)[2].text


@pytest.mark.parametrize("name", ROUND)
def test_width_of_a_round_blur_is_found(case, name):
    along, across, _ = extent(case(name)[2].kernel)
    assert along == pytest.approx(2.0, rel=0.25) and across == pytest.approx(2.0, rel=0.25)
    assert "round" in case(name)[2].text


def test_bent_path_is_found_the_right_way_round(case):
    kernel, true = case("bent, 12 px")[2].kernel, BENT["bent, 12 px"].kernel()
    assert correlation(kernel, true) > correlation(kernel.rot90(2), true)
    assert "bent" in case("bent, 12 px")[2].text


def test_turned_photo_has_the_turned_kernel(case):
    _, damaged, found = case("bent, 12 px")
    turned = estimate_blur(damaged.rot90(1, (1, 2)), SIZE)
    assert correlation(turned.kernel, found.kernel.rot90()) > 0.9


def test_brighter_photo_of_more_contrast_has_the_same_kernel(case):
    _, damaged, found = case("5 px at 0 degrees")
    assert correlation(estimate_blur(0.1 + 0.6 * damaged, SIZE).kernel, found.kernel) > 0.98


def test_threads_and_rounding_make_no_difference(case):
    _, damaged, found = case("5 px at 0 degrees")
    torch.set_num_threads(2)
    try:
        again = estimate_blur(damaged + 1e-7 * torch.randn(damaged.shape), SIZE)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(again.kernel, found.kernel, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket"])
def test_photo_without_blur_gives_a_point(sharp, name):
    found = estimate_blur(sharp(name), SIZE)
    assert found.kernel[SIZE // 2, SIZE // 2] == 1 and found.kernel.count_nonzero() == 1
    assert "hardly any blur" in found.text and "well founded" not in found.text


def test_kernel_without_room_asks_for_more(sharp):
    assert "use a larger size" in estimate_blur(blur(sharp("astronaut"), MotionBlur(10.0, 20.0, 0.0)), 9).text


def test_it_tells_how_far_it_is_and_can_be_stopped(photo):
    seen = []
    estimate_blur(photo("astronaut")[:, :64, :64], 9, lambda step, total: seen.append((step, total)))
    total = search_steps(9) + EDGE_COSTS
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


def test_path_is_turned_whichever_way_it_was_given(case):
    damaged = case("bent, 12 px")[1][0].mean(-1)
    edges, points = EdgeCost(damaged, SIZE, lambda: None), bent(straight(9.0, 40.0), 6, arc=0.3)
    found = [right_path([Fit(path, given, 1e-4, 0.0)], edges, 1).numbers for given in (points, -points)]
    assert torch.equal(*found)
