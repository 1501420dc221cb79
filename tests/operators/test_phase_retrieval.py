from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maprps.operators import model_units
from maprps.operators.phase_retrieval import PhaseRetrieval

PHOTO = Image.open(Path(__file__).parents[2] / "workflows" / "photos" / "astronaut.png").convert("RGB")
ASTRONAUT = np.asarray(PHOTO)[20:84, 80:144].copy()


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64)


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (1, 1), (1, 16), (24, 5)])
@pytest.mark.parametrize("oversample", [0.0, 1.5, 2.0, 4.0])
def test_is_the_centred_fourier_magnitude_of_the_framed_image(size, oversample):
    operator = PhaseRetrieval(oversample).build(2, *size, dtype=torch.float64)
    x = rand(2, 2, *size)
    margins = [int(oversample / 8 * n) for n in size]
    framed = np.pad(x.numpy(), ((0, 0), (0, 0), *((m, m) for m in margins)))
    wanted = np.abs(np.fft.fftshift(np.fft.fft2(framed, norm="ortho"), (-2, -1)))
    np.testing.assert_allclose(operator(x).numpy(), wanted, atol=1e-12)
    assert operator.measured == np.prod(wanted.shape[1:])


def test_the_fields_frame():
    assert PhaseRetrieval().build(3, 256, 256).measurement_shape == (3, 384, 384)


def test_a_grey_background_is_the_convention_of_model_units():
    operator = PhaseRetrieval(background=0.5).build(1, 16, 16, dtype=torch.float64)
    x = 2 * rand(1, 1, 16, 16) - 1
    framed = torch.nn.functional.pad(x, (4, 4, 4, 4))
    wanted = torch.fft.fftshift(torch.fft.fft2(framed, norm="ortho"), (-2, -1)).abs()
    wrapped, y, _ = model_units(operator, wanted / 2, 0.0)
    torch.testing.assert_close(wrapped(x), wanted - 1)
    torch.testing.assert_close(wrapped(x), y)


def test_energy_is_kept():
    operator = PhaseRetrieval().build(1, 12, 20, dtype=torch.float64)
    x = rand(1, 1, 12, 20)
    torch.testing.assert_close(operator(x).square().sum(), x.square().sum())


@pytest.mark.parametrize("size", [(12, 20), (9, 13)])
def test_what_the_magnitudes_do_not_tell(size):
    black, grey = (PhaseRetrieval(background=level).build(1, *size, dtype=torch.float64) for level in (0.0, 0.5))
    x = rand(1, 1, *size)
    for operator in (black, grey):
        torch.testing.assert_close(operator(x.flip(2, 3)), operator(x))
        assert not torch.allclose(operator(x.flip(3)), operator(x))
    torch.testing.assert_close(grey(1 - x), grey(x))
    assert not torch.allclose(black(1 - x), black(x))
    patch = torch.zeros_like(x)
    patch[..., 2:6, 3:8] = x[..., 2:6, 3:8]
    moved = patch.roll((2, -1), (2, 3))
    torch.testing.assert_close(black(moved), black(patch))
    assert not torch.allclose(grey(moved), grey(patch))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 9), (64, 33)])
@pytest.mark.parametrize("oversample", [0.0, 2.0, 3.3, 8.0])
def test_the_measurement_tells_the_size_of_the_image(size, oversample):
    degradation = PhaseRetrieval(oversample)
    assert degradation.image_size(*degradation.build(1, *size).measurement_shape[1:]) == size


@pytest.mark.parametrize("background", [0.0, 0.5])
def test_gradient(background):
    operator = PhaseRetrieval(background=background).build(1, 5, 8, dtype=torch.float64)
    x = rand(1, 1, 5, 8).requires_grad_()
    assert torch.autograd.gradcheck(operator, x)


def test_gradient_at_zero_magnitude_is_finite():
    operator = PhaseRetrieval().build(1, 8, 8)
    x = torch.zeros(1, 1, 8, 8, requires_grad=True)
    operator(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    constant = torch.ones(1, 1, 8, 8)  # without a frame, all its energy is at frequency zero
    (gradient,) = torch.autograd.grad(PhaseRetrieval(0.0).build(1, 8, 8)(x := constant.requires_grad_()).sum(), x)
    torch.testing.assert_close(gradient, torch.full_like(gradient, 1 / 8))


@pytest.mark.parametrize("background", [0.0, 0.5])
def test_guess_fits_the_measurement_within_its_noise(background):
    image = torch.from_numpy(ASTRONAUT).movedim(-1, 0)[None].float() / 255
    operator = PhaseRetrieval(4.0, background).build(3, 64, 64)
    y = operator(image)
    y = y + 0.02 * torch.randn(y.shape)
    guess = operator.initial_guess(y)
    assert guess.shape == image.shape and guess.min() >= 0 and guess.max() <= 1
    flat = operator(image.mean((2, 3), keepdim=True).expand_as(image))
    residual, flat_residual = (float((y - v).square().mean().sqrt()) for v in (operator(guess), flat))
    assert residual < 1.3 * 0.02 < flat_residual / 3


def test_guess_has_all_channels_the_same_way_up():
    image = torch.from_numpy(ASTRONAUT).movedim(-1, 0)[None].float() / 255
    operator = PhaseRetrieval(4.0).build(3, 64, 64)
    guess = operator.initial_guess(operator(image))
    upright, turned = (
        [float(torch.corrcoef(torch.stack([g.flatten(), x.flatten()]))[0, 1]) for g, x in zip(guess[0], v, strict=True)]
        for v in (image[0], image[0].flip(1, 2))
    )
    better = [a > b for a, b in zip(upright, turned, strict=True)]
    assert len(set(better)) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 7)])
def test_guess_at_any_size(size):
    operator = PhaseRetrieval().build(2, *size)
    guess = operator.initial_guess(operator(torch.rand(3, 2, *size)))
    assert guess.shape == (3, 2, *size) and guess.isfinite().all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PhaseRetrieval(-1.0), r"use 0 \(no frame\) to 8"),
        (lambda: PhaseRetrieval(9.0), r"use 0 \(no frame\) to 8"),
        (lambda: PhaseRetrieval(2.0, 2.0), r"use 0 \(black\) to 1 \(white\)"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
