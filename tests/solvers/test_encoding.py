"""The data step by encoding, for decoders whose Jacobian and whose left inverse are known."""

import pytest
import torch
from torch import nn

from maprps.linalg.dot import dot
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.encoding import Encoding
from maprps.solvers.problem import Problem

SIZE, SCALE, S = 32, 2, 0.05
OPERATORS = {
    "denoising": Denoising(),
    "inpainting": Inpainting.from_mask(torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.5),
    "super-resolution": SuperResolution(4, "bicubic"),
    "blur": GaussianBlur(9, 1.5, "reflect"),
    "HDR": HDR(2.0),
}
SIGMA = 0.1


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def enlarged(z):
    """A decoder: every latent becomes a square of SCALE x SCALE pixels."""
    return z.repeat_interleave(SCALE, -1).repeat_interleave(SCALE, -2)


def averaged(x):
    """Its best left inverse."""
    return nn.functional.avg_pool2d(x, SCALE)


def curved(z):
    """A decoder that is not linear."""
    return enlarged(z + 0.2 * z.square())


def taken(encoding, center, variance, corrected):
    return encoding.corrected(center, variance)[0] if corrected else encoding.proximal(center, variance)


def problem(name, decoder=enlarged, encoder=averaged, batch=2, noise_std=S):
    operator = OPERATORS[name].build(3, SIZE, SIZE)
    y = operator(0.3 * random(batch, 3, SIZE, SIZE, seed=1))
    return Problem(operator, operator.keep(y), noise_std, decoder, encoder)


def latents(batch=2, seed=2):
    return 0.3 * random(batch, 3, SIZE // SCALE, SIZE // SCALE, seed=seed)


def value(task, z, center, variance):
    """Of what a proximal step minimizes, per image."""
    residual = task.residual(z)
    return (dot(residual, residual) / task.noise_std**2 + dot(z - center, z - center) / variance).flatten()


def test_a_decoder_that_scales():
    """D(z) = 3 z: latents of variance 2 have pixels of variance 18, whatever the frequency and the color."""
    encoding = Encoding(problem("denoising", lambda z: 3 * z, lambda x: x / 3), latents(1).repeat(1, 1, 4, 4))
    power = encoding.covariance(2.0).power
    assert float(power.mean()) == pytest.approx(18, rel=0.05)
    coarse, fine = power.flatten(2).chunk(2, -1)
    assert torch.allclose(coarse.mean(-1), fine.mean(-1), rtol=0.1)


def test_a_decoder_that_enlarges():
    """What D can show has SCALE^2 times the variance of a latent, at any frequency that it shows well."""
    center = latents(1).repeat(1, 1, 4, 4)
    covariance = Encoding(problem("denoising"), center).covariance(1.0)
    size = center.shape[-1] * SCALE
    shown = covariance.basis.radius < size / SCALE / 2
    assert float(covariance.power[:, :, shown].mean()) == pytest.approx(SCALE**2, rel=0.1)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("corrected", [False, True])
def test_latents_that_explain_the_measurement_stay(name, corrected):
    """Whatever the decoder and the encoder: what they change alone cancels."""
    center = latents()
    task = problem(name, curved, lambda x: 0.7 * averaged(x) + 0.1)
    task = Problem(task.operator, task.operator.keep(task.operator(curved(center))), S, curved, task.encoder)
    z = taken(Encoding(task, center), center, SIGMA**2, corrected)
    assert torch.allclose(z, center, atol=1e-5)


@pytest.mark.parametrize("name", ["denoising", "inpainting", "blur"])
def test_the_step_in_pixels_goes_as_far_as_the_noise(name):
    """D and E the identity, so that latents are pixels."""
    task = problem(name, lambda z: z, lambda x: x)
    far, near = 3 + latents().repeat(1, 1, 2, 2), task.operator.pinv(task.measurement)
    encoding = Encoding(task, far)
    reached = encoding.proximal(far, 1.0)
    assert torch.allclose(task.relative_residual(reached), torch.ones(2), atol=1e-3)
    assert torch.equal(encoding.proximal(near, 1.0), near)


def test_with_little_noise_the_measurement_itself_is_encoded():
    """As near as the noise: a mean of pixels is no farther off than they are."""
    task = problem("denoising", noise_std=1e-3)
    center = latents()
    z = Encoding(task, center).proximal(center, 1.0)
    assert (z - averaged(task.measurement)).square().mean().sqrt() <= 1e-3


@pytest.mark.parametrize("name", OPERATORS)
def test_the_step_lowers_what_it_minimizes(name):
    task, center = problem(name), latents()
    for corrected in (False, True):
        z = taken(Encoding(task, center), center, SIGMA**2, corrected)
        assert (value(task, z, center, SIGMA**2) < value(task, center, center, SIGMA**2)).all()


@pytest.mark.parametrize("name", OPERATORS)
def test_an_image_does_not_depend_on_its_batch(name):
    batch, center = problem(name, curved, batch=3), latents(3)
    alone = Problem(batch.operator, batch.measurement[1:2], S, curved, averaged)
    for corrected in (False, True):
        together = taken(Encoding(batch, center), center, SIGMA**2, corrected)[1:2]
        single = taken(Encoding(alone, center[1:2]), center[1:2], SIGMA**2, corrected)
        assert torch.allclose(together, single, atol=1e-4)
