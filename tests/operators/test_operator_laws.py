"""What must hold for every operator, linear or not, and that no degradation and no operator is left out."""

import importlib
import inspect
import pkgutil

import pytest
import torch
from labs.degradations import EXAMPLES, ITERATING, LINEAR, NONLINEAR, SIZE, settings

from maprps import operators
from maprps.operators import Degradation, Operator, model_units
from maprps.operators.compose import Compose
from maprps.operators.resampling import SuperResolution
from maprps.operators.units import InModelUnits

pytestmark = pytest.mark.usefixtures("small_bkse")


def each(degradations, slow=()):
    cases = [pytest.param(d, marks=pytest.mark.slow if d in slow else ()) for d in degradations]
    return pytest.mark.parametrize("degradation", cases, ids=lambda d: d.describe())


every = each(settings(EXAMPLES))
# Where a solve or a guess takes many steps.
PATIENT = [*ITERATING, *(d for d in settings(NONLINEAR) if "phase retrieval" in d.describe())]


def written(base):
    """Classes of the pack that derive from `base` and can be made."""
    for module in pkgutil.iter_modules(operators.__path__):
        importlib.import_module(f"{operators.__name__}.{module.name}")
    found, new = set(), {base}
    while new:
        found |= new
        new = {kind for parent in new for kind in parent.__subclasses__()} - found
    return {kind for kind in found if kind.__module__.startswith("maprps.") and not inspect.isabstract(kind)}


def test_every_degradation_is_among_the_examples():
    assert written(Degradation) == {example.kind for example in EXAMPLES}


def test_every_operator_is_built_by_an_example():
    built = {type(degradation.build(3, *SIZE)) for degradation in settings(EXAMPLES)}
    assert written(Operator) == built | {InModelUnits}


def sample(operator, count):
    """Images, and noisy measurements of them."""
    x = torch.rand(count, *operator.image_shape)
    return x, operator(x) + 0.05 * torch.randn(count, *operator.measurement_shape)


def results(operator, x, y, a=0.1, b=1.0):
    """All that an operator makes of images and measurements."""
    made = [operator(x), operator.keep(y), operator.initial_guess(y)]
    return [*made, operator.adjoint(y), operator.solve(y, a, b)] if operator.linear else made


@each(settings(EXAMPLES), slow=PATIENT)
def test_a_result_does_not_depend_on_its_batch(degradation):
    operator = degradation.build(3, *SIZE)
    x, y = sample(operator, 5)
    a = torch.tensor([0.01, 0.1, 1.0, 0.02, 0.5]).view(5, 1, 1, 1)
    b = torch.tensor([1.0, 0.3, 2.0, 0.5, 0.1]).view(5, 1, 1, 1)
    together = results(operator, x, y, a, b)
    for i in range(5):
        alone = results(operator, x[i : i + 1], y[i : i + 1], a[i].item(), b[i].item())
        for many, single in zip(together, alone, strict=True):
            assert torch.equal(many[i : i + 1], single)


@every
def test_inputs_stay_as_they_are(degradation):
    operator = degradation.build(3, *SIZE)
    x, y = sample(operator, 1)
    kept = x.clone(), y.clone()
    results(operator, x, y)
    assert torch.equal(x, kept[0]) and torch.equal(y, kept[1])


@each(settings(EXAMPLES), slow=PATIENT)
def test_full_precision_under_autocast_and_for_half_inputs(degradation):
    operator = degradation.build(3, *SIZE)
    x, y = sample(operator, 1)
    plain = results(operator, x, y)
    with torch.autocast("cpu", torch.bfloat16):
        cast = results(operator, x, y)
    for one, other in zip(plain, cast, strict=True):
        assert other.dtype == torch.float32 and torch.equal(one, other)
    half = x.half()
    assert torch.equal(operator(half), operator(half.float()))


# A mask before a blur leaves a blurred picture of the mask, which the guess takes for one of the image.
GUESSED = [degradation for degradation in settings(EXAMPLES) if degradation not in settings(LINEAR, Compose)]


@each(GUESSED)
def test_a_guess_fits_better_than_a_grey_image(degradation):
    operator = degradation.build(3, *SIZE)
    wave = torch.arange(SIZE[0] * SIZE[1]).view(SIZE)
    x = 0.5 + 0.4 * torch.stack([torch.sin(wave / 9), torch.cos(wave / 300), torch.sin(wave / 1500)])[None]
    y = operator(x)
    grey = torch.full_like(x, 0.5)
    error, grey_error = (operator.keep(y - operator(v)).norm() for v in (operator.initial_guess(y), grey))
    assert error < 0.75 * grey_error


@every
def test_noise_stays_the_same_in_model_units(degradation):
    operator = degradation.build(3, *SIZE, dtype=torch.float64)
    x = torch.rand(1, *operator.image_shape, dtype=torch.float64)
    noise = operator.keep(torch.randn(1, *operator.measurement_shape, dtype=torch.float64))
    wrapped, y, std = model_units(operator, operator(x) + 0.05 * noise, 0.05)
    torch.testing.assert_close(wrapped.keep(y - wrapped(2 * x - 1)), std * noise)
    assert wrapped.measured == operator.measured


def test_wrong_sizes_are_named():
    operator = SuperResolution(4).build(3, 16, 20)
    with pytest.raises(ValueError, match="measurement is 1 x 3 x 4 x 4, but this degradation needs batch x 3 x 4 x 5"):
        operator.solve(torch.zeros(1, 3, 4, 4), 1.0, 1.0)
    with pytest.raises(ValueError, match="image is 1 x 1 x 16 x 20, but this degradation needs batch x 3 x 16 x 20"):
        operator(torch.zeros(1, 1, 16, 20))
