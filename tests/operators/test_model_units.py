"""y = A(x_image) + s n, said in [-1, 1]."""

import numpy as np
import pytest
import torch

from maprps.operators import Operator, model_units
from maprps.operators.blur import GaussianBlur
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.resampling import SuperResolution
from maprps.operators.space import Space
from maprps.operators.stack import Stack

MASK = Inpainting.from_mask(np.random.default_rng(0).random((12, 20)) < 0.5)


@pytest.mark.parametrize(
    "degradation",
    [
        Denoising(),
        SuperResolution(4),
        GaussianBlur(9, 2.0, "zero"),
        MASK,
        Compose(GaussianBlur(9, 2.0, "zero"), MASK),
        Compose(MASK, GaussianBlur(9, 2.0)),
        MotionBlur(boundary="zero"),
        Colorization(),
        CompressedSensing(),
        Stack(SuperResolution(4), MASK),
    ],
    ids=lambda d: d.describe(),
)
def test_linear(degradation):
    operator = degradation.build(3, 12, 20, dtype=torch.float64)
    image = torch.rand(2, *operator.image_shape, dtype=torch.float64)
    noise = torch.randn(2, *operator.measurement_shape, dtype=torch.float64)
    same, y, std = model_units(operator, operator(image) + 0.05 * noise, 0.05)
    assert same is operator
    assert std == 0.1
    wanted = operator.keep(operator(2 * image - 1) + std * noise)
    torch.testing.assert_close(y, wanted, rtol=0, atol=1e-14)


def test_what_a_hole_shows_does_not_matter():
    operator = MASK.build(3, 12, 20)
    image = torch.rand(1, 3, 12, 20)
    painted = torch.where(operator.known, image, 0.7)
    assert torch.equal(model_units(operator, painted, 0.0)[1], model_units(operator, operator(image), 0.0)[1])


class Cube(Operator):
    def __init__(self):
        super().__init__(Space(1, 4, 4, torch.device("cpu"), torch.float64), (1, 4, 4))

    def _forward(self, x):
        return x**3

    def _initial_guess(self, y):
        return y.clamp_min(0) ** (1 / 3)


def test_nonlinear():
    operator = Cube()
    image = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    measurement = operator(image) + 0.05
    wrapped, y, std = model_units(operator, measurement, 0.05)
    assert std == 0.1 and not wrapped.linear and wrapped.measured == 16
    torch.testing.assert_close(y - wrapped(2 * image - 1), 2 * (measurement - operator(image)))
    torch.testing.assert_close(wrapped.initial_guess(wrapped(2 * image - 1)), 2 * image - 1)
