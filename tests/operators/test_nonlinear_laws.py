"""What must hold for every nonlinear operator, alone and among others."""

import dataclasses
import pickle
import pickletools

import numpy as np
import pytest
import torch

from maprps.operators import model_units
from maprps.operators.bkse import BKSE
from maprps.operators.blur import GaussianBlur
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.jpeg import JPEG
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.nonlinear_blur import NonlinearBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.quantization import Quantization
from maprps.operators.resampling import SuperResolution
from maprps.operators.stack import Stack

MASK = Inpainting.from_mask(np.random.default_rng(0).random((72, 128)) < 0.4)
ALONE = [
    HDR(),
    Quantization(),
    JPEG(),
    JPEG(90, "4:4:4"),
    JPEG(30, "4:2:0", "cubic"),
    PhaseRetrieval(),
    PhaseRetrieval(4.0, 0.5),
    NonlinearBlur(GaussianBlur(9, 1.5)),
    NonlinearBlur(MotionBlur(15), exposure=1.5),
]
COMPOSED = [
    Compose(SuperResolution(4), JPEG(30)),
    Compose(GaussianBlur(9, 1.5), JPEG(30)),
    Compose(JPEG(30), SuperResolution(4)),
    Compose(Colorization(), JPEG(30)),
    Compose(HDR(), MASK),
    Compose(MASK, Quantization()),
    Compose(NonlinearBlur(MotionBlur(15)), Compose(SuperResolution(2), JPEG(50))),
    Compose(GaussianBlur(9, 1.5), PhaseRetrieval()),
]
STACKED = [
    Stack(JPEG(10), SuperResolution(4)),
    Stack(PhaseRetrieval(), Compose(HDR(), MASK)),
    Stack(Colorization(), Quantization(4)),
]
every = pytest.mark.parametrize("degradation", [*ALONE, *COMPOSED, *STACKED], ids=lambda d: d.describe())


@every
def test_a_result_does_not_depend_on_its_batch(degradation):
    operator = degradation.build(3, 72, 128)
    x = torch.rand(5, *operator.image_shape)
    y = operator(x) + 0.05 * torch.randn(5, *operator.measurement_shape)
    for method, value in ((operator, x), (operator.initial_guess, y), (operator.keep, y)):
        together = method(value)
        for i in range(5):
            assert torch.equal(method(value[i : i + 1]), together[i : i + 1])


@every
def test_full_precision_under_autocast_and_for_half_inputs(degradation):
    operator = degradation.build(3, 72, 128)
    x = torch.rand(1, *operator.image_shape)
    y = operator(x)
    guess = operator.initial_guess(y)
    with torch.autocast("cpu", torch.bfloat16):
        for plain, cast in ((y, operator(x)), (guess, operator.initial_guess(y))):
            assert cast.dtype == torch.float32 and torch.equal(cast, plain)
    half = x.half()
    assert torch.equal(operator(half), operator(half.float()))


@every
def test_inputs_stay_as_they_are(degradation):
    operator = degradation.build(3, 72, 128)
    x, y = torch.rand(1, *operator.image_shape), torch.rand(1, *operator.measurement_shape)
    kept = x.clone(), y.clone()
    operator(x), operator.keep(y), operator.initial_guess(y)
    assert torch.equal(x, kept[0]) and torch.equal(y, kept[1])


@every
def test_differentiable_even_for_an_operator_built_in_inference_mode(degradation):
    with torch.inference_mode():
        operator = degradation.build(3, 72, 128)
        operator.initial_guess(operator(torch.rand(1, *operator.image_shape)))
    x = torch.rand(1, *operator.image_shape).requires_grad_()
    (gradient,) = torch.autograd.grad(operator(x).square().sum(), x)
    assert gradient.isfinite().all() and gradient.any()
    assert not operator.linear


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -0.5, 1.5])
@every
def test_finite_for_flat_images_of_any_level(degradation, value):
    operator = degradation.build(3, 72, 128)
    x = torch.full((1, *operator.image_shape), value).requires_grad_()
    y = operator(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (7, 1), (5, 12), (9, 13)])
@pytest.mark.parametrize("degradation", ALONE, ids=lambda d: d.describe())
def test_any_size(degradation, size):
    operator = degradation.build(3, *size)
    x = torch.rand(2, 3, *size).requires_grad_()
    y = operator(x)
    assert y.shape[1:] == operator.measurement_shape
    assert degradation.image_size(*y.shape[2:]) == size
    guess = operator.initial_guess(y.detach())
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert guess.shape == x.shape and guess.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("degradation", [*ALONE, *COMPOSED, *STACKED], ids=lambda d: d.describe())
def test_a_guess_fits_better_than_a_grey_image(degradation):
    operator = degradation.build(3, 72, 128)
    wave = torch.arange(72 * 128).view(72, 128)
    x = 0.5 + 0.4 * torch.stack([torch.sin(wave / 9), torch.cos(wave / 300), torch.sin(wave / 1500)])[None]
    y = operator(x)
    grey = torch.full_like(x, 0.5)
    error, grey_error = (operator.keep(y - operator(v)).norm() for v in (operator.initial_guess(y), grey))
    assert error < 0.75 * grey_error


@pytest.mark.parametrize("degradation", COMPOSED, ids=lambda d: d.describe())
def test_composed_is_one_after_the_other(degradation):
    operator = degradation.build(3, 72, 128)
    first = degradation.first.build(3, 72, 128)
    second = degradation.second.build(*first.measurement_shape)
    x = torch.rand(2, 3, 72, 128)
    y = second(first(x))
    assert torch.equal(operator(x), y)
    assert torch.equal(operator.keep(y), second.keep(y))
    assert operator.measured == second.measured
    assert torch.equal(operator.initial_guess(y), first.initial_guess(second.initial_guess(y)))
    assert degradation.image_size(*y.shape[2:]) == (72, 128)


@pytest.mark.parametrize("degradation", [HDR(), JPEG(), PhaseRetrieval()], ids=lambda d: d.describe())
def test_nothing_more_is_nothing_more(degradation):
    x = torch.rand(1, 3, 16, 24)
    y = degradation.build(3, 16, 24)(x)
    for pair in (Compose(Denoising(), degradation), Compose(degradation, Denoising())):
        assert torch.equal(pair.build(3, 16, 24)(x), y)


@pytest.mark.parametrize("degradation", STACKED, ids=lambda d: d.describe())
def test_stacked_lie_side_by_side(degradation):
    operator = degradation.build(3, 72, 128)
    parts = [part.build(3, 72, 128) for part in (degradation.first, degradation.second)]
    x = torch.rand(2, 3, 72, 128)
    y = operator(x)
    for pane, part in zip(y.chunk(2, 3), parts, strict=True):
        c, h, w = part.measurement_shape
        assert torch.equal(pane[:, :c, :h, :w], part(x))
    assert operator.measured == sum(part.measured for part in parts)
    torch.testing.assert_close(operator.keep(torch.ones_like(y)).sum(), torch.tensor(2.0 * operator.measured))
    assert degradation.image_size(*y.shape[2:]) == (72, 128)


@every
def test_noise_stays_the_same_in_model_units(degradation):
    operator = degradation.build(3, 72, 128, dtype=torch.float64)
    x = torch.rand(1, *operator.image_shape, dtype=torch.float64)
    noise = operator.keep(torch.randn(1, *operator.measurement_shape, dtype=torch.float64))
    wrapped, y, std = model_units(operator, operator(x) + 0.05 * noise, 0.05)
    torch.testing.assert_close(wrapped.keep(y - wrapped(2 * x - 1)), std * noise)
    assert wrapped.measured == operator.measured


DESCRIPTIONS = [*ALONE, Quantization(16), JPEG(10, "4:4:4"), HDR(3.0), BKSE("a.pth"), BKSE("a.pth", 1), BKSE("b.pth")]


@pytest.mark.parametrize("degradation", DESCRIPTIONS, ids=lambda d: d.describe())
def test_descriptions_are_plain_values(degradation):
    data = pickle.dumps(degradation)
    assert pickle.loads(data) == degradation == dataclasses.replace(degradation)
    modules = {arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, str)}
    assert not any(name.split(".")[0] in ("torch", "numpy") for name in modules)
    assert sum(other == degradation for other in DESCRIPTIONS) == 1
    assert len({*DESCRIPTIONS, degradation}) == len(DESCRIPTIONS)


def test_one_line_for_a_person():
    assert HDR().describe() == "high dynamic range, contrast x2 and clipped"
    assert Quantization(4).describe() == "quantization to 4 levels"
    assert JPEG(25).describe() == "JPEG, quality 25, 4:2:0"
    assert PhaseRetrieval().describe() == "phase retrieval, oversampling 2, background 0"
    assert NonlinearBlur(GaussianBlur(9, 1.5), exposure=2).describe() == (
        "Gaussian blur, sigma 1.5 px, 9x9 px, reflect boundary, in linear light (gamma 2.2, exposure 2)"
    )
    assert BKSE("models/GOPRO_wVAE.pth").describe() == "nonlinear blur by BKSE, GOPRO_wVAE.pth, seed 0, spread 1.2"
