"""Ticks at numbers that a person would choose, and values where they belong."""

import pytest

from maprps.evaluation.pictures.axes import Axes, nice_ticks, padded, round_up, tick_labels
from maprps.evaluation.pictures.labels import Labels, overlap


@pytest.mark.parametrize(
    ("low", "high", "count", "labels"),
    [
        (0.0333, 0.0508, 6, ["0.035", "0.040", "0.045", "0.050"]),
        (25.7, 29.5, 6, ["26", "27", "28", "29"]),
        (0, 1, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-4, 4, 9, ["-4", "-3", "-2", "-1", "0", "1", "2", "3", "4"]),
        (1.2e-5, 2.9e-5, 4, ["0.000015", "0.000020", "0.000025"]),
        (0, 3000, 3, ["0", "1000", "2000", "3000"]),
    ],
)
def test_ticks(low, high, count, labels):
    assert tick_labels(nice_ticks(low, high, count)) == labels


@pytest.mark.parametrize(("low", "width"), [(0.0, 1.0), (-3.7, 1e-3), (28.1, 0.44), (0.034, 0.7e-2), (-9e4, 1.7e5)])
@pytest.mark.parametrize("count", [3, 4, 6, 9])
def test_ticks_lie_inside_at_equal_steps(low, width, count):
    ticks = nice_ticks(low, low + width, count)
    assert 1 <= len(ticks) <= count + 1
    assert low - 1e-9 * width <= ticks[0] and ticks[-1] <= low + width * (1 + 1e-9)
    assert len(set(tick_labels(ticks))) == len(ticks)
    for label, tick in zip(tick_labels(ticks), ticks, strict=True):
        assert float(label) == pytest.approx(tick, abs=1e-9 * width)


def test_labels_of_few_or_odd_ticks():
    assert tick_labels([28.5]) == ["28.5"]
    assert tick_labels([0.0]) == ["0"]
    assert tick_labels([0, 0.41]) == ["0.00", "0.41"]
    assert tick_labels([-1e-17, 0.1]) == ["0.0", "0.1"]


@pytest.mark.parametrize(("value", "top"), [(0.11, 0.2), (0.2, 0.2), (0.21, 0.5), (0.7, 1), (0.0, 1.0)])
def test_round_up(value, top):
    assert round_up(value) == pytest.approx(top)


def test_a_range_holds_its_values_and_is_never_empty():
    assert padded([1, 3, 2], 0.1) == pytest.approx((0.8, 3.2))
    for values in ([], [0.0], [5.0], [0.05, 0.05 + 1e-12]):
        low, high = padded(values, 0.1)
        assert high - low > 1e-4
        assert all(low < value < high for value in values)


def test_values_map_to_the_corners():
    axes = Axes(10, 20, 110, 220, (0, 1), (-1, 1))
    assert axes.point(0, -1) == (10, 220)
    assert axes.point(1, 1) == (110, 20)
    assert axes.point(0.25, 0) == (35, 120)


def test_labels_cover_neither_each_other_nor_a_marker():
    points = [(50 + 12 * k, 100 - k * k) for k in range(8)]
    labels = Labels(points, (0, 0, 300, 200))
    boxes = [labels.place(point, 40, 20) for point in points]
    drawn = [box for box in boxes if box]
    markers = [(x - 8, y - 8, x + 8, y + 8) for x, y in points]
    assert len(drawn) >= 6
    for k, box in enumerate(drawn):
        assert not any(overlap(box, other) for other in drawn[:k] + markers)
