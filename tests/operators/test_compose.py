import numpy as np
import pytest
import torch

from maprps.operators.base import Operator
from maprps.operators.blur import GaussianBlur
from maprps.operators.compose import Compose, compose
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space import Space


def mask(height, width, seed=0):
    return Inpainting.from_mask(np.random.default_rng(seed).random((height, width)) < 0.4)


PAIRS = [
    (GaussianBlur(9, 1.2), SuperResolution(3), (18, 24)),
    (SuperResolution(2, "box"), GaussianBlur(5, 0.8, "zero"), (13, 20)),
    (mask(12, 15), mask(12, 15, 1), (12, 15)),
    (mask(12, 15), SuperResolution(4), (12, 15)),
    (SuperResolution(3), mask(4, 5), (12, 15)),
    (Denoising(), GaussianBlur(5, 1.0), (12, 15)),
    (SuperResolution(3), Denoising(), (12, 15)),
]


@pytest.mark.parametrize(("first", "second", "size"), PAIRS)
def test_is_one_after_the_other(first, second, size):
    operator = Compose(first, second).build(2, *size, dtype=torch.float64)
    one = first.build(2, *size, dtype=torch.float64)
    two = second.build(*one.measurement_shape, dtype=torch.float64)
    x = torch.rand(2, 2, *size, dtype=torch.float64)
    y = two(one(x))
    torch.testing.assert_close(operator(x), y, rtol=0, atol=1e-13)
    torch.testing.assert_close(operator.adjoint(y), one.adjoint(two.adjoint(y)), rtol=0, atol=1e-13)
    assert operator.linear
    assert operator.measurement_shape == two.measurement_shape
    torch.testing.assert_close(operator.keep(y), y, rtol=0, atol=1e-13)


def test_needs_no_iterations_where_the_structure_allows(monkeypatch):
    monkeypatch.setattr("maprps.operators.base.conjugate_gradients", None)
    for first, second, size in PAIRS:
        if isinstance(first, Inpainting) != isinstance(second, Inpainting):
            continue
        operator = Compose(first, second).build(2, *size)
        y = torch.rand(1, *operator.measurement_shape)
        operator.solve(y, 0.1, 1.0)
        operator.pinv(y)


def test_pinv_by_conjugate_gradients_is_moore_penrose():
    operator = Compose(SuperResolution(3), mask(4, 5)).build(1, 12, 15, dtype=torch.float64)
    operator.tolerance = 1e-12
    matrix = operator(torch.eye(180, dtype=torch.float64).view(180, 1, 12, 15)).flatten(1).T
    y = torch.rand(1, 1, 4, 5, dtype=torch.float64)
    wanted = torch.linalg.pinv(matrix) @ y.flatten()
    torch.testing.assert_close(operator.pinv(y).flatten(), wanted, rtol=0, atol=1e-9)


def test_starts_step_by_step():
    blur, reduction = GaussianBlur(25, 3.0), SuperResolution(4)
    operator = Compose(blur, reduction).build(3, 32, 40)
    y = torch.rand(1, 3, 8, 10)
    assert torch.equal(operator.initial_guess(y), reduction.build(3, 32, 40).pinv(y))


def test_three_in_a_row():
    degradation = Compose(Compose(GaussianBlur(5, 1.0), SuperResolution(2)), mask(6, 8))
    assert degradation.image_size(6, 8) == (12, 16)
    assert degradation.describe().count(", then ") == 2
    assert degradation.build(3, 12, 16).measured == 3 * int((~mask(6, 8).missing()).sum())


class Square(Operator):
    def __init__(self, shape):
        super().__init__(Space(*shape, torch.device("cpu"), torch.float32), shape)

    def _forward(self, x):
        return x**2

    def _initial_guess(self, y):
        return y.sqrt()


def test_a_nonlinear_part_makes_a_nonlinear_whole():
    pair = compose(Square((1, 4, 4)), SuperResolution(2, "box").build(1, 4, 4))
    x = torch.rand(1, 1, 4, 4)
    assert not pair.linear
    torch.testing.assert_close(pair(x), torch.nn.functional.avg_pool2d(x**2, 2))
    y = torch.rand(1, 1, 2, 2)
    torch.testing.assert_close(pair.initial_guess(y), y.sqrt().repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_two_masks_that_hide_everything():
    checkers = np.indices((4, 4)).sum(0) % 2
    both = Compose(Inpainting.from_mask(checkers), Inpainting.from_mask(1 - checkers))
    with pytest.raises(ValueError, match="Together the two masks hide every pixel"):
        both.build(3, 4, 4)
