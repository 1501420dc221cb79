import numpy as np
import pytest
import torch
from PIL import Image

from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.resampling import SuperResolution


def test_mean():
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(Colorization().build(3, 5, 7)(x), x.mean(1, keepdim=True))


def test_luma_is_pillows_grey():
    x = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(x).convert("L"))
    got = Colorization("luma").build(3, 20, 30)(torch.from_numpy(x).movedim(-1, 0)[None].float())[0, 0].numpy()
    assert np.abs(got - grey).max() < 1  # Pillow rounds


@pytest.mark.parametrize("weights", ["mean", "luma"])
def test_grey_stays_grey(weights):
    operator = Colorization(weights).build(3, 5, 7)
    grey = torch.rand(2, 1, 5, 7)
    torch.testing.assert_close(operator(grey.expand(-1, 3, -1, -1)), grey)
    guess = operator.initial_guess(grey)
    assert torch.equal(guess, grey.expand(-1, 3, -1, -1))


def test_noise_is_averaged_by_the_weights():
    operator = Colorization().build(3, 1, 1)
    assert operator.norm == pytest.approx(3**-0.5)
    assert operator.measurement_shape == (1, 1, 1) and operator.measured == 1


def test_composes_with_a_reduction():
    operator = Compose(Colorization(), SuperResolution(2, "box")).build(3, 8, 6)
    x = torch.rand(1, 3, 8, 6)
    wanted = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True), 2)
    torch.testing.assert_close(operator(x), wanted)


def test_errors():
    with pytest.raises(ValueError, match="use mean or luma"):
        Colorization("red")
    with pytest.raises(ValueError, match="needs 3: give it as RGB"):
        Colorization().build(4, 5, 7)
