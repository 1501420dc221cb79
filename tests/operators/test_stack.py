import pytest
import torch

from maprps.operators.base import Operator
from maprps.operators.blur import GaussianBlur
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.colorization import Colorization
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space import Space
from maprps.operators.stack import Panes, Stack

PAIRS = [
    (GaussianBlur(9, 1.2), BoxInpainting()),
    (SuperResolution(3), GaussianBlur(9, 1.2)),
    (SuperResolution(2, "box"), SuperResolution(4)),
    (Colorization(), CompressedSensing()),
    (Stack(SuperResolution(2), RandomInpainting()), SuperResolution(3)),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_both_measurements_side_by_side(first, second):
    operator = Stack(first, second).build(3, 24, 36, dtype=torch.float64)
    one, two = (part.build(3, 24, 36, dtype=torch.float64) for part in (first, second))
    x = torch.rand(2, 3, 24, 36, dtype=torch.float64)
    y = operator(x)
    left, right = y.chunk(2, 3)
    for pane, part in ((left, one), (right, two)):
        c, h, w = part.measurement_shape
        assert torch.equal(pane[:, :c, :h, :w], part(x))
        assert float(pane.square().sum()) == pytest.approx(float(part(x).square().sum()), rel=1e-12)  # zeros around
    assert operator.measured == one.measured + two.measured
    kept = operator.keep(torch.ones_like(y))
    assert float(kept[0].sum()) == operator.measured
    torch.testing.assert_close(operator.keep(y), y)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_measurement_tells_the_size_of_the_image(first, second):
    stack = Stack(first, second)
    shape = stack.build(3, 24, 36).measurement_shape
    assert stack.image_size(*shape[1:]) == (24, 36)


def test_two_masks_that_complete_each_other_give_the_image():
    operator = Stack(BoxInpainting(0.5, 1.0, 0.0), BoxInpainting(0.5, 1.0, 0.5)).build(2, 8, 12, dtype=torch.float64)
    x = torch.rand(1, 2, 8, 12, dtype=torch.float64)
    torch.testing.assert_close(operator.pinv(operator(x)), x, rtol=0, atol=1e-12)
    assert operator.norm == pytest.approx(1)


def test_starts_from_the_part_that_measured_more():
    reduction, mask = SuperResolution(2), RandomInpainting(0.5)
    for stack in (Stack(reduction, mask), Stack(mask, reduction)):
        operator = stack.build(3, 16, 20)
        x = torch.rand(1, 3, 16, 20)
        alone = mask.build(3, 16, 20)
        assert torch.equal(operator.initial_guess(operator(x)), alone.initial_guess(alone(x)))


class Square(Operator):
    def __init__(self):
        super().__init__(Space(1, 4, 4, torch.device("cpu"), torch.float32), (1, 4, 4))

    def _forward(self, x):
        return x**2

    def _initial_guess(self, y):
        return y.sqrt()


def test_a_nonlinear_part_makes_a_nonlinear_whole():
    panes = Panes(Square(), GaussianBlur(3, 1.0).build(1, 4, 4))
    x = torch.rand(1, 1, 4, 4)
    assert not panes.linear
    assert torch.equal(panes(x)[..., :4], x**2)
    assert torch.equal(panes.initial_guess(panes(x)), (x**2).sqrt())


def test_starts_from_the_part_whose_guess_is_not_of_another_image():
    stack, x = Stack(PhaseRetrieval(), SuperResolution(4)).build(3, 16, 16), torch.rand(1, 3, 16, 16)
    small = SuperResolution(4).build(3, 16, 16)
    assert torch.equal(stack.initial_guess(stack(x)), small.initial_guess(small(x)))


def test_each_pane_is_looked_at_as_its_part_is():
    stack = Stack(CompressedSensing(2.0, 0), PhaseRetrieval(2.0))
    y = stack.build(1, 8, 8)(torch.rand(2, 1, 8, 8)).movedim(1, -1)
    width = y.shape[2] // 2
    views = CompressedSensing().view(y[:, :, :width]), PhaseRetrieval().view(y[:, :, width:])
    assert torch.equal(stack.view(y), torch.cat(views, 2))
