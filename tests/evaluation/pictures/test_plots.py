"""The plots show what they are given: each point is found by its color, where its value puts it."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from maprps.evaluation.pictures import (
    TraversalPoint,
    distortion_perception_plot,
    error_map,
    level_plot,
    residual_histogram,
)
from maprps.evaluation.pictures.canvas import BLUE, ORANGE
from maprps.evaluation.pictures.colormap import color, colorize, table
from maprps.evaluation.pictures.histogram import BAR

POINTS = [
    TraversalPoint(0.1, 0.030, 0.0362),
    TraversalPoint(0, 0.061, 0.0350),
    TraversalPoint(1, 0.008, 0.0491),
    TraversalPoint(0.4, 0.012, 0.0420),
]


def pixels_of(plot, rgb):
    """Mask [H, W] of the pixels that have exactly this color."""
    return ((plot[0] * 255).round().int() == torch.tensor(rgb)).all(dim=-1).numpy()


def markers(plot, rgb):
    """(x, y) of the middle of each disc of this color, from left to right; lines are eroded away."""
    eroded = ndimage.binary_erosion(pixels_of(plot, rgb), iterations=3)
    parts, count = ndimage.label(eroded)
    middles = ndimage.center_of_mass(eroded, parts, range(1, count + 1))
    return sorted((x, y) for y, x in middles)


def is_picture(plot):
    return plot.dtype == torch.float32 and plot.shape[3] == 3 and bool(((plot >= 0) & (plot <= 1)).all())


def assert_affine(values, places, sign, within=1.0):
    """places = a * values + b to a pixel, and a has the given sign."""
    slope, offset = np.polyfit(values, places, 1)
    assert math.copysign(1, slope) == sign
    np.testing.assert_allclose(places, slope * np.array(values) + offset, rtol=0, atol=within)


@pytest.mark.parametrize("distortion", ["RMSE", "PSNR"])
def test_each_point_of_a_traversal_lies_at_its_values(distortion):
    points = POINTS if distortion == "RMSE" else [p._replace(distortion=-20 * math.log10(p.distortion)) for p in POINTS]
    plot = distortion_perception_plot(points, distortion)
    assert plot.shape == (1, 720, 1000, 3)
    assert is_picture(plot)
    in_order = sorted(points)
    found = [markers(plot, color(0.2 + 0.55 * k / 4)) for k in range(4)]
    assert [len(places) for places in found] == [1, 1, 1, 1]
    assert_affine([p.perception for p in in_order], [places[0][0] for places in found], 1)
    assert_affine([p.distortion for p in in_order], [places[0][1] for places in found], -1)


def test_the_ends_of_a_traversal_have_their_own_shapes():
    def outline(plot, k, count):
        ys, xs = pixels_of(plot, color(0.2 + 0.55 * k / count)).nonzero()
        box = (xs.max() - xs.min() + 1) * (ys.max() - ys.min() + 1)
        return len(xs) / box

    plot = distortion_perception_plot(POINTS)
    square, disc, diamond = (outline(plot, k, 4) for k in (0, 1, 3))
    assert square > 0.95
    assert disc == pytest.approx(math.pi / 4, abs=0.08)
    assert diamond == pytest.approx(0.5, abs=0.08)


def test_a_perfect_restoration_and_a_single_point_can_be_plotted():
    rest = [TraversalPoint(0.05, 0.02, 31.0)]
    plot = distortion_perception_plot([TraversalPoint(0, 0.0, math.inf), *rest], "PSNR")
    assert is_picture(plot)
    assert torch.equal(plot, distortion_perception_plot(rest, "PSNR"))
    assert is_picture(distortion_perception_plot([TraversalPoint(0, 0.0, math.inf)], "PSNR"))


def test_level_plot_shows_every_value_of_every_series():
    levels = [1, 0, 0.05, 0.2]
    series = {"residual / noise": [0.99, 0.93, 0.97, 1.01], "sharpness": [0.06, 0.02, 0.03, 0.05]}
    plot = level_plot(levels, series, {"residual / noise": 1})
    assert is_picture(plot)
    order = np.argsort(levels)
    for rgb, values in zip((BLUE, ORANGE), series.values(), strict=True):
        places = markers(plot, rgb)
        assert len(places) == 4
        assert_affine(range(4), [x for x, _ in places], 1)
        assert_affine(np.array(values)[order], [y for _, y in places], -1)


def test_level_plot_draws_its_target_at_its_value():
    values = [0.9, 1.0, 1.05]
    bare = level_plot([0, 0.1, 1], {"residual / noise": values})
    plot = level_plot([0, 0.1, 1], {"residual / noise": values}, {"residual / noise": 1})
    changed = (plot != bare).any(dim=-1)[0]
    dashed_rows = (changed.sum(dim=1) > 200).nonzero().flatten()
    assert float(dashed_rows.float().mean()) == pytest.approx(markers(plot, BLUE)[1][1], abs=1.5)


def test_level_plot_leaves_out_what_is_not_finite():
    plot = level_plot([0, 0.1, 1], {"sharpness": [0.02, math.nan, 0.05], "residual / noise": [math.inf] * 3})
    assert is_picture(plot)
    assert len(markers(plot, BLUE)) == 2
    assert len(markers(plot, ORANGE)) == 0


def bars(residual):
    """Height in pixels of the histogram at each column of the plot."""
    plot = residual_histogram(residual)
    assert is_picture(plot)
    bar = pixels_of(plot, BAR)
    top, bottom = bar.argmax(axis=0), len(bar) - bar[::-1].argmax(axis=0)
    return np.where(bar.any(axis=0), bottom - top, 0)


def moments(weights):
    at = np.arange(len(weights))
    mean = np.average(at, weights=weights)
    return mean, np.sqrt(np.average((at - mean) ** 2, weights=weights))


def test_histogram_has_the_mean_and_spread_of_the_residual():
    noise = torch.randn(1, 3, 64, 64)
    mean, spread = moments(bars(noise))
    shifted_mean, _ = moments(bars(noise + 0.5))  # both on the scale from -4 to 4
    _, narrow_spread = moments(bars(noise / 2))
    per_unit = spread / float(noise.std())
    assert (shifted_mean - mean) / per_unit == pytest.approx(0.5, abs=0.03)
    assert narrow_spread / spread == pytest.approx(0.5, abs=0.02)


def test_histogram_makes_room_for_a_residual_far_off():
    _, spread = moments(bars(torch.randn(1, 3, 64, 64)))
    _, wide_spread = moments(bars(10 * torch.randn(1, 3, 64, 64)))
    assert spread < wide_spread < 3 * spread  # ten times as wide on a scale of its own


def test_error_map_shows_the_error_on_its_scale(photo):
    reference = photo("cat").clamp(0.1, 0.9)
    error = torch.linspace(0, 0.1, reference.shape[2]).expand(reference.shape[1:3])[None]
    picture = error_map(reference + error[..., None], reference, top=0.1)
    assert is_picture(picture)
    assert picture.shape[2] == reference.shape[2]
    drawn = picture[:, : reference.shape[1]]
    assert float((drawn - colorize(error / 0.1)).abs().max()) < 0.02  # one step of the table, by rounding


def test_error_map_takes_a_round_scale_that_all_images_share():
    reference = torch.full((1, 200, 200, 3), 0.5)
    offsets = torch.tensor([0.0, 0.05, 0.15])[:, None, None, None]
    picture = error_map(reference + offsets, reference)
    wanted = colorize(torch.tensor([0, 0.05, 0.15]) / 0.2)
    torch.testing.assert_close(picture[:, 100, 100], wanted, rtol=0, atol=0.02)
    assert torch.equal(picture[0, 200:], picture[2, 200:])


def test_error_map_of_equal_images_and_of_small_ones():
    image = torch.rand(1, 24, 32, 3)
    picture = error_map(image, image)
    assert torch.equal(picture[:, : 24 * 6], table()[0].expand(1, 24 * 6, 32 * 6, 3))


def test_color_scale_rises_evenly_in_lightness():
    linear = torch.where(table() <= 0.04045, table() / 12.92, ((table() + 0.055) / 1.055) ** 2.4)
    luminance = linear @ torch.tensor([0.2126, 0.7152, 0.0722])
    lightness = (
        116 * torch.where(luminance > 0.008856, luminance ** (1 / 3), 7.787 * luminance + 16 / 116) - 16
    )  # CIE L*
    steps = lightness.diff()
    assert float(lightness[0]) < 5 and float(lightness[-1]) > 85
    assert float(steps.min()) > 0
    np.testing.assert_allclose(
        lightness.numpy(), np.linspace(float(lightness[0]), float(lightness[-1]), 256), rtol=0, atol=6
    )
