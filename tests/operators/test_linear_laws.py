"""What must hold for every linear operator, whatever its size and settings."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from labs.degradations import ITERATING, LINEAR, SIZE, SMALL, Between, Example, channels, random_mask, settings

from maprps.operators.blur import GaussianBlur
from maprps.operators.compose import Compose
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.resampling import KERNELS, SuperResolution

quick = hypothesis_settings(max_examples=5, deadline=None, derandomize=True)

slow = pytest.mark.slow
every = pytest.mark.parametrize("example", LINEAR, ids=str)
closed_forms = pytest.mark.parametrize("example", [e for e in LINEAR if e.closed_form], ids=str)
each = pytest.mark.parametrize(
    "degradation",
    [pytest.param(d, marks=slow if d in ITERATING else ()) for d in settings(LINEAR)],
    ids=lambda d: d.describe(),
)
iterated = pytest.mark.parametrize("degradation", [d for e in LINEAR for d in e.small], ids=lambda d: d.describe())


def degradations(example, height, width):
    """Those that can be drawn of an example, for an image of this size."""

    def values(choice):
        if isinstance(choice, Between):
            return st.floats(*choice)
        if isinstance(choice[0], Example):
            return st.one_of([degradations(each, height, width) for each in choice])
        return st.sampled_from(choice)

    drawn = {name: values(choice) for name, choice in example.drawn.items()}
    size = {"height": st.just(height), "width": st.just(width)} if example.fits else {}
    return st.builds(example.make or example.kind, **size, **drawn)


@st.composite
def cases(draw, example, largest):
    """(degradation, channels, height, width)."""
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    degradation = draw(degradations(example, height, width))
    return degradation, channels(degradation) or draw(st.integers(1, 4)), height, width


def operators(data, example, largest=40, dtype=None):
    degradation, *shape = data.draw(cases(example, largest))
    return degradation.build(*shape, dtype=dtype)


def randn(batch, shape, seed=0, dtype=torch.float32):
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def smooth(batch, shape, seed=0):
    """White noise behind a Gaussian blur: most of it, as of a picture, is in its lowest frequencies."""
    return GaussianBlur(13, 2.0).build(*shape)(randn(batch, shape, seed))


def dense(operator):
    """A as a float64 matrix, column by column."""
    n = int(np.prod(operator.image_shape))
    basis = torch.eye(n, dtype=torch.float64).view(n, *operator.image_shape)
    return operator(basis).flatten(1).T


def relative(got, wanted):
    return float((got.double() - wanted.double()).norm() / wanted.double().norm())


def reproduces(operator, x, scale):
    y = operator(x)
    return float((operator(operator.pinv(y)) - y).double().norm()) / scale(y) <= 1e-5


def small(degradation, dtype=None):
    """One channel where that will do: thousands of iterations take their time."""
    return degradation.build(channels(degradation) or 1, *SMALL, dtype=dtype)


@every
def test_examples_are_solved_as_they_say(example):
    assert example.closed_form or example.small
    for degradation in example.settings:
        operator = degradation.build(3, *SIZE)
        assert operator.linear and operator.closed_form == example.closed_form


@every
@quick
@given(st.data())
def test_adjoint(example, data):
    operator = operators(data, example)
    x, y = randn(2, operator.image_shape, 1), randn(2, operator.measurement_shape, 2)
    image, transposed = operator(x), operator.adjoint(y)
    assert image.dtype == transposed.dtype == torch.float32
    gap = (image.double() * y.double()).sum() - (x.double() * transposed.double()).sum()
    assert abs(gap) <= 1e-6 * image.double().norm() * y.double().norm()


@every
@quick
@given(st.data())
def test_adjoint_is_the_transposed_matrix(example, data):
    operator = operators(data, example, 6, torch.float64)
    y = randn(3, operator.measurement_shape, dtype=torch.float64)
    torch.testing.assert_close(operator.adjoint(y).flatten(1), y.flatten(1) @ dense(operator), rtol=0, atol=1e-13)


@every
@quick
@given(st.data())
def test_isotropy_and_orthonormal_rows(example, data):
    operator = operators(data, example)
    x = randn(2, operator.image_shape)
    if operator.isotropy is not None:
        torch.testing.assert_close(operator.adjoint(operator(x)), operator.isotropy * x)
    if operator.orthonormal_rows:
        y = operator.keep(randn(2, operator.measurement_shape, 1))
        torch.testing.assert_close(operator(operator.adjoint(y)), y)


@closed_forms
@quick
@given(st.data())
def test_pinv_reproduces_what_was_measured(example, data):
    operator = operators(data, example)
    y = operator(randn(2, operator.image_shape))
    assert relative(operator(operator.pinv(y)), y) <= 1e-5


@iterated
def test_iterated_pinv_reproduces_what_was_measured(degradation):
    operator = small(degradation)
    assert reproduces(operator, smooth(1, operator.image_shape), lambda y: float(y.norm()))


@slow
@iterated
def test_iterated_pinv_reproduces_measured_white_noise(degradation):
    # A blur lets little of white noise through, and to fit 1e-5 of that little can take tens of thousands of steps:
    # what is asked for is A A^+ A = A within 1e-5 of the norm of A.
    operator = small(degradation)
    x = randn(1, operator.image_shape)
    assert reproduces(operator, x, lambda y: operator.norm * float(x.norm()))


@pytest.mark.parametrize("example", [pytest.param(e, marks=() if e.closed_form else slow) for e in LINEAR], ids=str)
@hypothesis_settings(quick, max_examples=3)
@given(st.data())
def test_any_pinv_reproduces_what_was_measured(example, data):
    operator = operators(data, example, 12)
    x = smooth(1, operator.image_shape)
    assert reproduces(operator, x, lambda y: operator.norm * float(x.norm()))


@slow
@iterated
def test_iterated_pinv_stays_out_of_the_null_space(degradation):
    # Of all images with this measurement it has the least norm.
    operator = small(degradation)
    x = smooth(1, operator.image_shape)
    assert operator.pinv(operator(x)).norm() <= x.norm() * (1 + 1e-4)


@slow
@iterated
def test_solve_with_hardly_any_noise(degradation):
    operator = small(degradation, torch.float64)
    y = operator.keep(randn(1, operator.measurement_shape, dtype=torch.float64))
    a, b = 2e-6, 2.0
    z = operator.solve(y, a, b)
    assert (a * z + b * operator(operator.adjoint(z)) - y).norm() <= 1e-5 * y.norm()


@slow
@iterated
def test_solve_with_hardly_any_noise_in_float32(degradation):
    # 1e-5 of y, and what rounding does to z, which is up to b |A|^2 / a times as large.
    operator = small(degradation)
    exact = small(degradation, torch.float64)
    a, b = 2e-6, 2.0
    noise = (a / b) ** 0.5 * randn(1, operator.measurement_shape, 1)
    y = operator.keep(operator(smooth(1, operator.image_shape)) + noise)
    z = operator.solve(y, a, b)
    assert z.dtype == torch.float32
    z, y = z.double(), y.double()
    residual = a * z + b * exact(exact.adjoint(z)) - y
    assert residual.norm() <= 1e-5 * y.norm() + 1e-7 * b * exact.norm**2 * z.norm()


@iterated
def test_a_preconditioner_is_symmetric_and_positive(degradation):
    operator = small(degradation, torch.float64)
    near = operator.preconditioner(1e-3, 2.0)
    if near is None:  # a closed form, or none is known
        return
    size = int(np.prod(operator.measurement_shape))
    basis = torch.eye(size, dtype=torch.float64).view(size, *operator.measurement_shape)
    matrix = near(basis).flatten(1)
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-9)
    assert torch.linalg.eigvalsh(matrix).min() > 0


@iterated
def test_solve_to_a_looser_tolerance(degradation):
    operator = small(degradation)
    y = operator.keep(operator(smooth(2, operator.image_shape)))
    z = operator.solve(y, 0.01, 2.0, tolerance=1e-2)
    residual = 0.01 * z + 2.0 * operator(operator.adjoint(z)) - y
    assert (residual.flatten(1).norm(dim=1) <= 1.1e-2 * y.flatten(1).norm(dim=1)).all()


@closed_forms
@quick
@given(st.data())
def test_pinv_is_moore_penrose(example, data):
    operator = operators(data, example, 6, torch.float64)
    matrix = dense(operator)
    y = randn(2, operator.measurement_shape, dtype=torch.float64)
    values = torch.linalg.svdvals(matrix)
    values = values / values.max()
    if ((values > 1e-7) & (values < 1e-5)).any():
        return  # near the cutoff the pseudo-inverse is a matter of rounding
    wanted = y.flatten(1) @ torch.linalg.pinv(matrix, rtol=1e-6).T
    assert relative(operator.pinv(y).flatten(1), wanted) <= 1e-9


@every
@quick
@given(st.data(), st.floats(-4, 1), st.floats(-4, 1))
def test_solve_is_the_inverse_matrix(example, data, log_a, log_b):
    operator = operators(data, example, 6, torch.float64)
    operator.tolerance = 1e-13
    matrix = dense(operator)
    a, b = 10**log_a, 10**log_b
    y = randn(2, operator.measurement_shape, dtype=torch.float64)
    wanted = torch.linalg.solve(a * torch.eye(len(matrix), dtype=torch.float64) + b * matrix @ matrix.T, y.flatten(1).T)
    assert relative(operator.solve(y, a, b).flatten(1), wanted.T) <= 1e-8


@every
@quick
@given(st.data(), st.floats(-1.9, 1), st.floats(-1, 0))
def test_solve_residual(example, data, log_a, log_b):
    operator = operators(data, example)
    exact = operator.rebuild(torch.float64)
    a = torch.tensor([10**log_a, 1.0]).view(2, 1, 1, 1)
    b = torch.tensor([10**log_b, 0.0]).view(2, 1, 1, 1)
    y = randn(2, operator.measurement_shape)
    z = operator.solve(y, a, b).double()
    residual = a.double() * z + b.double() * exact(exact.adjoint(z)) - y.double()
    assert (residual.flatten(1).norm(dim=1) <= 1e-5 * y.flatten(1).double().norm(dim=1)).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_solve_without_noise_is_the_pseudo_inverse(kernel):
    operator = Compose(GaussianBlur(9, 1.5), SuperResolution(2, kernel)).build(1, 12, 9, dtype=torch.float64)
    y = randn(1, operator.measurement_shape, dtype=torch.float64)
    assert relative(operator.adjoint(operator.solve(y, 0.0, 1.0)), operator.pinv(y)) <= 1e-9
    blur = GaussianBlur(9, 1.5).build(1, 12, 9, dtype=torch.float64)  # singular values from 1 to below the cutoff
    y = randn(1, blur.measurement_shape, dtype=torch.float64)
    assert relative(blur.adjoint(blur.solve(y, 0.0, 1.0)), blur.pinv(y)) <= 1e-6
    mask = random_mask(12, 9).build(1, 12, 9)
    y = randn(1, mask.measurement_shape)
    torch.testing.assert_close(mask.solve(y, 0.0, 4.0), mask.keep(y) / 4)


@closed_forms
@quick
@given(st.data())
def test_at_any_size_a_batch_changes_only_the_last_bits(example, data):
    # Where planes do not fill whole cache lines, matrix products round by how a plane lies in memory.
    operator = operators(data, example)
    x = randn(3, operator.image_shape)
    y = operator(x)
    for i in range(3):
        assert relative(operator(x[i : i + 1]), y[i : i + 1]) <= 1e-6
        assert relative(operator.solve(y[i : i + 1], 0.1, 1.0), operator.solve(y, 0.1, 1.0)[i : i + 1]) <= 1e-6


@every
@quick
@given(st.data())
def test_a_guess_is_an_image_at_any_size(example, data):
    operator = operators(data, example, 12)
    guess = operator.initial_guess(operator(randn(2, operator.image_shape)))
    assert guess.shape[1:] == operator.image_shape and guess.isfinite().all()


@each
def test_gradient_is_the_adjoint_even_for_an_operator_built_in_inference_mode(degradation):
    with torch.inference_mode():
        operator = degradation.build(3, *SIZE)
        operator.solve(randn(1, operator.measurement_shape), 0.1, 1.0)
    x = randn(1, operator.image_shape).requires_grad_()
    y = randn(1, operator.measurement_shape)
    (gradient,) = torch.autograd.grad(operator(x), x, y)
    assert relative(gradient, operator.adjoint(y)) <= 1e-6
    (twice,) = torch.autograd.grad(operator.solve(y.requires_grad_(), 0.1, 1.0).square().sum() / 2, y)
    assert relative(twice, operator.solve(operator.solve(y.detach(), 0.1, 1.0), 0.1, 1.0)) <= 1e-4


@every
@quick
@given(st.data())
def test_norm_is_the_largest_singular_value(example, data):
    operator = operators(data, example, 6, torch.float64)
    assert operator.norm == pytest.approx(float(torch.linalg.matrix_norm(dense(operator), 2)), rel=1e-3)


def test_a_closed_form_needs_no_preconditioner():
    assert SuperResolution(2).build(3, 8, 8).preconditioner(0.1, 1.0) is None
    assert Compose(MotionBlur(4.0), SuperResolution(2)).build(3, 8, 8).preconditioner(0.1, 1.0) is None  # none is known
