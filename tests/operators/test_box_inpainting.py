import pytest
import torch

from maprps.operators.box_inpainting import BoxInpainting


def hidden(degradation, height, width):
    """Rows and columns that hold a missing pixel."""
    missing = ~degradation.build(1, height, width).known[0, 0]
    rows, columns = missing.any(1).nonzero()[:, 0].tolist(), missing.any(0).nonzero()[:, 0].tolist()
    assert int(missing.sum()) == len(rows) * len(columns)
    return rows, columns


def test_the_fields_box_is_the_middle_half():
    assert hidden(BoxInpainting(), 256, 256) == ([*range(64, 192)],) * 2
    assert hidden(BoxInpainting(0.5, 0.25), 40, 60) == ([*range(15, 25)], [*range(15, 45)])


def test_place_and_size_in_pixels():
    assert hidden(BoxInpainting(4, 3, 1, 2, unit="pixels"), 10, 12) == ([2, 3, 4], [1, 2, 3, 4])
    assert hidden(BoxInpainting(4, 3, unit="pixels"), 9, 12) == ([3, 4, 5], [4, 5, 6, 7])
    assert hidden(BoxInpainting(12, 3, 0, 7, unit="pixels"), 10, 12) == ([7, 8, 9], [*range(12)])


def test_place_in_parts():
    assert hidden(BoxInpainting(0.29, 0.1, 0.5, 0.0), 100, 100) == ([*range(10)], [*range(50, 79)])


def test_hides_nothing_of_a_single_pixel():
    operator = BoxInpainting().build(3, 1, 1)
    assert operator.measured == 3
    assert torch.equal(operator(torch.ones(1, 3, 1, 1)), torch.ones(1, 3, 1, 1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BoxInpainting(1.5), "numbers from 0 to 1"),
        (lambda: BoxInpainting(10, 10.5, unit="pixels"), "whole numbers"),
        (lambda: BoxInpainting(-1, 10, unit="pixels"), "whole numbers"),
        (lambda: BoxInpainting(unit="percent"), "use parts or pixels"),
        (lambda: BoxInpainting(0.5, 0.5, 0.6).build(3, 10, 10), "columns 6 to 11, but the image is 10x10"),
        (lambda: BoxInpainting(4, 4, unit="pixels").build(3, 10, 3), "move it or make it smaller"),
        (lambda: BoxInpainting(1.0, 1.0).build(3, 10, 10), "hides every pixel"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
