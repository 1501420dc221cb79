"""What must hold for every nonlinear operator, alone and among others."""

import pytest
import torch
from labs.degradations import NONLINEAR, SIZE, settings

from maprps.operators.compose import Compose
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.jpeg import JPEG
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.stack import Stack

pytestmark = pytest.mark.usefixtures("small_bkse")

COMPOSED, STACKED = settings(NONLINEAR, Compose), settings(NONLINEAR, Stack)
ALONE = [degradation for degradation in settings(NONLINEAR) if degradation not in [*COMPOSED, *STACKED]]


def each(degradations):
    return pytest.mark.parametrize("degradation", degradations, ids=lambda d: d.describe())


@each(settings(NONLINEAR))
def test_differentiable_even_for_an_operator_built_in_inference_mode(degradation):
    with torch.inference_mode():
        operator = degradation.build(3, *SIZE)
        operator.initial_guess(operator(torch.rand(1, *operator.image_shape)))
    x = torch.rand(1, *operator.image_shape).requires_grad_()
    (gradient,) = torch.autograd.grad(operator(x).square().sum(), x)
    assert gradient.isfinite().all() and gradient.any()
    assert not operator.linear


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -0.5, 1.5])
@each(settings(NONLINEAR))
def test_finite_for_flat_images_of_any_level(degradation, value):
    operator = degradation.build(3, *SIZE)
    x = torch.full((1, *operator.image_shape), value).requires_grad_()
    y = operator(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (7, 1), (5, 12), (9, 13)])
@each(ALONE)
def test_any_size(degradation, size):
    operator = degradation.build(3, *size)
    x = torch.rand(2, 3, *size).requires_grad_()
    y = operator(x)
    assert y.shape[1:] == operator.measurement_shape
    assert degradation.image_size(*y.shape[2:]) == size
    guess = operator.initial_guess(y.detach())
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert guess.shape == x.shape and guess.isfinite().all() and gradient.isfinite().all()


@each(COMPOSED)
def test_composed_is_one_after_the_other(degradation):
    operator = degradation.build(3, *SIZE)
    first = degradation.first.build(3, *SIZE)
    second = degradation.second.build(*first.measurement_shape)
    x = torch.rand(2, 3, *SIZE)
    y = second(first(x))
    assert torch.equal(operator(x), y)
    assert torch.equal(operator.keep(y), second.keep(y))
    assert operator.measured == second.measured
    assert torch.equal(operator.initial_guess(y), first.initial_guess(second.initial_guess(y)))
    assert degradation.image_size(*y.shape[2:]) == SIZE


@each([HDR(), JPEG(), PhaseRetrieval()])
def test_nothing_more_is_nothing_more(degradation):
    x = torch.rand(1, 3, 16, 24)
    y = degradation.build(3, 16, 24)(x)
    for pair in (Compose(Denoising(), degradation), Compose(degradation, Denoising())):
        assert torch.equal(pair.build(3, 16, 24)(x), y)


@each(STACKED)
def test_stacked_lie_side_by_side(degradation):
    operator = degradation.build(3, *SIZE)
    parts = [part.build(3, *SIZE) for part in (degradation.first, degradation.second)]
    x = torch.rand(2, 3, *SIZE)
    y = operator(x)
    for pane, part in zip(y.chunk(2, 3), parts, strict=True):
        c, h, w = part.measurement_shape
        assert torch.equal(pane[:, :c, :h, :w], part(x))
    assert operator.measured == sum(part.measured for part in parts)
    torch.testing.assert_close(operator.keep(torch.ones_like(y)).sum(), torch.tensor(2.0 * operator.measured))
    assert degradation.image_size(*y.shape[2:]) == SIZE
