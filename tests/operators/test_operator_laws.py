"""What must hold for every linear operator, whatever its size and parameters."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.blur import GaussianBlur
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space_varying_blur import SpaceVaryingBlur
from maprps.operators.stack import Stack

KERNELS = ("bicubic", "box", "gaussian", "lanczos", "bicubic (PIL)")
BOUNDARIES = ("reflect", "circular", "zero", "replicate")

quick = settings(max_examples=40, deadline=None, derandomize=True)


def random_mask(height, width, seed=0, missing=0.5):
    mask = np.random.default_rng(seed).random((height, width)) < missing
    mask[height // 2, width // 2] = False
    return Inpainting.from_mask(mask)


def random_kernel(height, width, seed, boundary):
    return KernelBlur.from_array(np.random.default_rng(seed).random((height, width)) ** 4, boundary)


super_resolutions = st.builds(SuperResolution, st.integers(2, 16), st.sampled_from(KERNELS))
odd = st.integers(0, 20).map(lambda r: 2 * r + 1)
sigmas = st.floats(0.3, 8)
seeds = st.integers(0, 99)
separable_blurs = st.one_of(
    st.builds(GaussianBlur, odd, sigmas, st.sampled_from(BOUNDARIES)),
    st.builds(
        AnisotropicGaussianBlur, odd, sigmas, sigmas, st.sampled_from((0.0, 90.0, 180.0)), st.sampled_from(BOUNDARIES)
    ),
)


def convolutions(*boundaries):
    boundary = st.sampled_from(boundaries)
    return st.one_of(
        st.builds(AnisotropicGaussianBlur, odd, sigmas, sigmas, st.floats(1, 89), boundary),
        st.builds(MotionBlur, st.floats(0, 30), st.floats(-180, 180), st.floats(0, 1), seeds, boundary),
        st.builds(random_kernel, st.integers(1, 20), st.integers(1, 20), seeds, boundary),
    )


samplings = st.builds(
    CompressedSensing,
    st.floats(1, 16),
    st.sampled_from((0, 8, 16, 32, 64)),
    st.sampled_from(("random", "first")),
    seeds,
)


@st.composite
def closed_forms(draw, largest=40):
    """(degradation, channels, height, width), where every inverse is known in closed form."""
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    drawn = st.builds(random_mask, st.just(height), st.just(width), st.integers(0, 9), st.floats(0, 1))
    masks = st.one_of(
        drawn,
        st.builds(RandomInpainting, st.floats(0, 0.99), seeds, st.booleans()),
        st.builds(BoxInpainting, st.floats(0, 0.9), st.floats(0, 1)),
    )
    single = st.one_of(
        st.just(Denoising()), super_resolutions, separable_blurs, convolutions("circular"), masks, samplings
    )
    pair = st.one_of(st.builds(Compose, separable_blurs, super_resolutions), st.builds(Compose, drawn, drawn))
    color = st.builds(Colorization, st.sampled_from(("mean", "luma")))
    degradation = draw(st.one_of(single, pair, color))
    return degradation, 3 if isinstance(degradation, Colorization) else draw(st.integers(1, 4)), height, width


@st.composite
def all_cases(draw, largest=40):
    """As above, and what needs conjugate gradients."""
    degradation, channels, height, width = draw(closed_forms(largest))
    blurs = st.one_of(
        convolutions("reflect", "zero", "replicate"),
        st.builds(SpaceVaryingBlur, st.floats(0.3, 2), st.floats(0.3, 5), st.sampled_from(BOUNDARIES)),
    )
    kind = draw(st.sampled_from(("closed", "masked", "stacked", "blur")))
    if kind == "masked" and not isinstance(degradation, BoxInpainting | RandomInpainting):  # two could hide everything
        degradation = Compose(random_mask(height, width), degradation)
    elif kind == "stacked":
        degradation = Stack(degradation, draw(st.one_of(separable_blurs, super_resolutions, samplings)))
    elif kind == "blur":
        degradation = draw(blurs)
    return degradation, channels, height, width


def randn(batch, shape, seed=0, dtype=torch.float32):
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def dense(operator):
    """A as a float64 matrix, column by column."""
    n = int(np.prod(operator.image_shape))
    basis = torch.eye(n, dtype=torch.float64).view(n, *operator.image_shape)
    return operator(basis).flatten(1).T


def relative(got, wanted):
    return float((got.double() - wanted.double()).norm() / wanted.double().norm())


@quick
@given(all_cases())
def test_adjoint(case):
    operator = case[0].build(*case[1:])
    x, y = randn(2, operator.image_shape, 1), randn(2, operator.measurement_shape, 2)
    image, transposed = operator(x), operator.adjoint(y)
    assert image.dtype == transposed.dtype == torch.float32
    gap = (image.double() * y.double()).sum() - (x.double() * transposed.double()).sum()
    assert abs(gap) <= 1e-6 * image.double().norm() * y.double().norm()


@quick
@given(all_cases(6))
def test_adjoint_is_the_transposed_matrix(case):
    operator = case[0].build(*case[1:], dtype=torch.float64)
    y = randn(3, operator.measurement_shape, dtype=torch.float64)
    torch.testing.assert_close(operator.adjoint(y).flatten(1), y.flatten(1) @ dense(operator), rtol=0, atol=1e-13)


@quick
@given(closed_forms())
def test_pinv_reproduces_what_was_measured(case):
    operator = case[0].build(*case[1:])
    y = operator(randn(2, operator.image_shape))
    assert relative(operator(operator.pinv(y)), y) <= 1e-5


def smooth(batch, shape, seed=0):
    """White noise behind a Gaussian blur: most of it, as of a picture, is in its lowest frequencies."""
    return GaussianBlur(13, 2.0).build(*shape)(randn(batch, shape, seed))


def reproduces(operator, x, scale):
    y = operator(x)
    return float((operator(operator.pinv(y)) - y).double().norm()) / scale(y) <= 1e-5


ITERATED = [
    *(MotionBlur(10.0, boundary=boundary) for boundary in BOUNDARIES),
    *(AnisotropicGaussianBlur(9, 2.0, 1.0, 30.0, boundary) for boundary in BOUNDARIES),
    *(random_kernel(5, 4, 0, boundary) for boundary in BOUNDARIES),
    *(SpaceVaryingBlur(0.5, 1.2, boundary) for boundary in BOUNDARIES),
    *(Compose(random_mask(20, 27), GaussianBlur(9, 1.0, boundary)) for boundary in BOUNDARIES),
    *(Compose(MotionBlur(8.0, boundary=boundary), SuperResolution(3)) for boundary in BOUNDARIES),
    *(Stack(MotionBlur(8.0, boundary=boundary), random_mask(20, 27)) for boundary in BOUNDARIES),
    *(Stack(GaussianBlur(9, 1.5, boundary), SuperResolution(2)) for boundary in BOUNDARIES),
    Stack(Colorization(), GaussianBlur(9, 1.0)),
    Compose(SuperResolution(2), random_mask(10, 14)),
]
iterated = pytest.mark.parametrize("degradation", ITERATED, ids=lambda d: d.describe())


def small(degradation, dtype=None):
    """One channel where that will do: thousands of iterations take their time."""
    return degradation.build(3 if "colorization" in degradation.describe() else 1, 20, 27, dtype=dtype)


@iterated
def test_iterated_pinv_reproduces_what_was_measured(degradation):
    operator = small(degradation)
    assert reproduces(operator, smooth(1, operator.image_shape), lambda y: float(y.norm()))


@iterated
def test_iterated_pinv_reproduces_measured_white_noise(degradation):
    # A blur lets little of white noise through, and to fit 1e-5 of that little can take tens of thousands of steps:
    # what is asked for is A A^+ A = A within 1e-5 of the norm of A.
    operator = small(degradation)
    x = randn(1, operator.image_shape)
    assert reproduces(operator, x, lambda y: operator.norm * float(x.norm()))


@settings(quick, max_examples=20)
@given(all_cases(12))
def test_any_pinv_reproduces_what_was_measured(case):
    operator = case[0].build(*case[1:])
    x = smooth(1, operator.image_shape)
    assert reproduces(operator, x, lambda y: operator.norm * float(x.norm()))


@iterated
def test_iterated_pinv_stays_out_of_the_null_space(degradation):
    # Of all images with this measurement it has the least norm.
    operator = small(degradation)
    x = smooth(1, operator.image_shape)
    assert operator.pinv(operator(x)).norm() <= x.norm() * (1 + 1e-4)


@iterated
def test_solve_with_hardly_any_noise(degradation):
    operator = small(degradation, torch.float64)
    y = operator.keep(randn(1, operator.measurement_shape, dtype=torch.float64))
    a, b = 2e-6, 2.0
    z = operator.solve(y, a, b)
    assert (a * z + b * operator(operator.adjoint(z)) - y).norm() <= 1e-5 * y.norm()


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


PRECONDITIONED = [
    *(MotionBlur(4.0, boundary=boundary) for boundary in BOUNDARIES if boundary != "circular"),
    *(SpaceVaryingBlur(0.5, 1.2, boundary) for boundary in BOUNDARIES),
    Stack(GaussianBlur(5, 1.0), SuperResolution(2)),
    Stack(random_mask(7, 6), MotionBlur(4.0)),
    Stack(Compose(random_mask(7, 6), GaussianBlur(5, 1.0)), GaussianBlur(5, 1.0)),
]


@pytest.mark.parametrize("degradation", PRECONDITIONED, ids=lambda d: d.describe())
def test_a_preconditioner_is_symmetric_and_positive(degradation):
    operator = degradation.build(3, 7, 6, dtype=torch.float64)
    near = operator.preconditioner(1e-3, 2.0)
    size = int(np.prod(operator.measurement_shape))
    basis = torch.eye(size, dtype=torch.float64).view(size, *operator.measurement_shape)
    matrix = near(basis).flatten(1)
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-9)
    assert torch.linalg.eigvalsh(matrix).min() > 0


@quick
@given(closed_forms(6))
def test_pinv_is_moore_penrose(case):
    operator = case[0].build(*case[1:], dtype=torch.float64)
    matrix = dense(operator)
    y = randn(2, operator.measurement_shape, dtype=torch.float64)
    values = torch.linalg.svdvals(matrix)
    values = values / values.max()
    if ((values > 1e-7) & (values < 1e-5)).any():
        return  # near the cutoff the pseudo-inverse is a matter of rounding
    wanted = y.flatten(1) @ torch.linalg.pinv(matrix, rtol=1e-6).T
    assert relative(operator.pinv(y).flatten(1), wanted) <= 1e-9


@quick
@given(all_cases(6), st.floats(-4, 1), st.floats(-4, 1))
def test_solve_is_the_inverse_matrix(case, log_a, log_b):
    operator = case[0].build(*case[1:], dtype=torch.float64)
    operator.tolerance = 1e-13
    matrix = dense(operator)
    a, b = 10**log_a, 10**log_b
    y = randn(2, operator.measurement_shape, dtype=torch.float64)
    wanted = torch.linalg.solve(a * torch.eye(len(matrix), dtype=torch.float64) + b * matrix @ matrix.T, y.flatten(1).T)
    assert relative(operator.solve(y, a, b).flatten(1), wanted.T) <= 1e-8


@quick
@given(all_cases(), st.floats(-1.9, 1), st.floats(-1, 0))
def test_solve_residual(case, log_a, log_b):
    operator = case[0].build(*case[1:])
    exact = case[0].build(*case[1:], dtype=torch.float64)
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


LARGER = [
    Denoising(),
    *(SuperResolution(4, kernel) for kernel in KERNELS),
    *(GaussianBlur(61, 3.0, boundary) for boundary in BOUNDARIES),
    AnisotropicGaussianBlur(),
    *(AnisotropicGaussianBlur(25, 5.0, 1.0, 30.0, boundary) for boundary in BOUNDARIES),
    *(MotionBlur(boundary=boundary) for boundary in BOUNDARIES),
    random_kernel(9, 6, 0, "reflect"),
    SpaceVaryingBlur(),
    random_mask(72, 128),
    BoxInpainting(),
    RandomInpainting(),
    RandomInpainting(per_channel=True),
    Colorization(),
    Colorization("luma"),
    CompressedSensing(),
    CompressedSensing(4.0, 16, "first"),
    Stack(SuperResolution(4), random_mask(72, 128)),
    Stack(Colorization(), GaussianBlur(9, 1.0)),
    Compose(GaussianBlur(9, 1.0), SuperResolution(4)),
    Compose(SuperResolution(2), random_mask(36, 64)),
    Compose(random_mask(72, 128), GaussianBlur(9, 1.0)),
]
larger = pytest.mark.parametrize("degradation", LARGER, ids=lambda d: d.describe())


@larger
def test_a_result_does_not_depend_on_its_batch(degradation):
    operator = degradation.build(3, 72, 128)
    x, y = randn(5, operator.image_shape), randn(5, operator.measurement_shape)
    a = torch.tensor([0.01, 0.1, 1.0, 0.02, 0.5]).view(5, 1, 1, 1)
    b = torch.tensor([1.0, 0.3, 2.0, 0.5, 0.1]).view(5, 1, 1, 1)
    together = operator(x), operator.adjoint(y), operator.keep(y), operator.solve(y, a, b), operator.initial_guess(y)
    for i in range(5):
        one, measurement = x[i : i + 1], y[i : i + 1]
        alone = (
            operator(one),
            operator.adjoint(measurement),
            operator.keep(measurement),
            operator.solve(measurement, a[i].item(), b[i].item()),
            operator.initial_guess(measurement),
        )
        for many, single in zip(together, alone, strict=True):
            assert torch.equal(many[i : i + 1], single)


@quick
@given(closed_forms())
def test_at_any_size_a_batch_changes_only_the_last_bits(case):
    # Where planes do not fill whole cache lines, matrix products round by how a plane lies in memory.
    operator = case[0].build(*case[1:])
    x = randn(3, operator.image_shape)
    y = operator(x)
    for i in range(3):
        assert relative(operator(x[i : i + 1]), y[i : i + 1]) <= 1e-6
        assert relative(operator.solve(y[i : i + 1], 0.1, 1.0), operator.solve(y, 0.1, 1.0)[i : i + 1]) <= 1e-6


@larger
def test_inputs_stay_as_they_are(degradation):
    operator = degradation.build(3, 72, 128)
    x, y = randn(1, operator.image_shape), randn(1, operator.measurement_shape)
    kept = x.clone(), y.clone()
    for method in (operator.adjoint, operator.keep, operator.initial_guess, lambda v: operator.solve(v, 0.1, 1.0)):
        method(y)
    operator(x)
    assert torch.equal(x, kept[0]) and torch.equal(y, kept[1])


@larger
def test_full_precision_under_autocast_and_for_half_inputs(degradation):
    operator = degradation.build(3, 72, 128)
    x, y = randn(1, operator.image_shape), randn(1, operator.measurement_shape)
    plain = operator(x), operator.adjoint(y), operator.solve(y, 0.1, 1.0), operator.initial_guess(y)
    with torch.autocast("cpu", torch.bfloat16):
        cast = operator(x), operator.adjoint(y), operator.solve(y, 0.1, 1.0), operator.initial_guess(y)
    for one, other in zip(plain, cast, strict=True):
        assert other.dtype == torch.float32 and torch.equal(one, other)
    half = x.half()
    assert torch.equal(operator(half), operator(half.float()))


@larger
def test_gradient_is_the_adjoint_even_for_an_operator_built_in_inference_mode(degradation):
    with torch.inference_mode():
        operator = degradation.build(3, 72, 128)
        operator.solve(randn(1, operator.measurement_shape), 0.1, 1.0)
    x = randn(1, operator.image_shape).requires_grad_()
    y = randn(1, operator.measurement_shape)
    (gradient,) = torch.autograd.grad(operator(x), x, y)
    assert relative(gradient, operator.adjoint(y)) <= 1e-6
    (twice,) = torch.autograd.grad(operator.solve(y.requires_grad_(), 0.1, 1.0).square().sum() / 2, y)
    assert relative(twice, operator.solve(operator.solve(y.detach(), 0.1, 1.0), 0.1, 1.0)) <= 1e-4


@quick
@given(all_cases(6))
def test_norm_is_the_largest_singular_value(case):
    operator = case[0].build(*case[1:], dtype=torch.float64)
    assert operator.norm == pytest.approx(float(torch.linalg.matrix_norm(dense(operator), 2)), rel=1e-3)


def test_wrong_sizes_are_named():
    operator = SuperResolution(4).build(3, 16, 20)
    with pytest.raises(ValueError, match="measurement is 1 x 3 x 4 x 4, but this degradation needs batch x 3 x 4 x 5"):
        operator.solve(torch.zeros(1, 3, 4, 4), 1.0, 1.0)
    with pytest.raises(ValueError, match="image is 1 x 1 x 16 x 20, but this degradation needs batch x 3 x 16 x 20"):
        operator(torch.zeros(1, 1, 16, 20))


@pytest.mark.parametrize("degradation", PRECONDITIONED, ids=lambda d: d.describe())
def test_solve_to_a_looser_tolerance(degradation):
    operator = (
        degradation.build(3, 20, 27) if "inpainting" not in degradation.describe() else degradation.build(3, 7, 6)
    )
    y = operator.keep(operator(smooth(2, operator.image_shape)))
    z = operator.solve(y, 0.01, 2.0, tolerance=1e-2)
    residual = 0.01 * z + 2.0 * operator(operator.adjoint(z)) - y
    assert (residual.flatten(1).norm(dim=1) <= 1.1e-2 * y.flatten(1).norm(dim=1)).all()


def test_a_closed_form_needs_no_preconditioner():
    assert SuperResolution(2).build(3, 8, 8).preconditioner(0.1, 1.0) is None
    assert Compose(MotionBlur(4.0), SuperResolution(2)).build(3, 8, 8).preconditioner(0.1, 1.0) is None  # none is known
