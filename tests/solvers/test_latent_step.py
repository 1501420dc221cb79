"""Which way the proximal step through a decoder goes, and what it costs."""

import pytest
import torch
from torch import nn

from maprps.linalg.cosine_basis import CosineBasis
from maprps.linalg.dot import dot
from maprps.linalg.stationary import Stationary
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import Proximal
from maprps.solvers.latent_step import DESCENT_STEPS, LatentStep
from maprps.solvers.map_estimation import Annealed, Encoded
from maprps.solvers.noise import Noise
from maprps.solvers.problem import Problem, silent

SIZE, SCALE, S, SIGMA = 32, 2, 0.05, 0.1
OPERATORS = {"denoising": Denoising(), "super-resolution": SuperResolution(4, "bicubic"), "HDR": HDR(2.0)}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SIGNS = random(1, 3, SIZE, SIZE, seed=7).sign()


def enlarged(z):
    """A decoder that is a convolution: every latent becomes a square of SCALE x SCALE pixels."""
    return z.repeat_interleave(SCALE, -1).repeat_interleave(SCALE, -2)


def averaged(x):
    """Its best left inverse."""
    return nn.functional.avg_pool2d(x, SCALE)


def scrambled(z):
    """A decoder of which no convolution knows anything."""
    return SIGNS * enlarged(z)


def unscrambled(x):
    return averaged(SIGNS * x)


class Watched:
    """A function that counts its calls, and those that are to be differentiated."""

    def __init__(self, function):
        self.function = function
        self.calls = self.gradients = 0

    def __call__(self, x):
        self.calls += 1
        self.gradients += torch.is_grad_enabled() and x.requires_grad
        return self.function(x)


def latents(batch=2, seed=2):
    return 0.3 * random(batch, 3, SIZE // SCALE, SIZE // SCALE, seed=seed)


def problem(name, decoder=enlarged, encoder=averaged, batch=2):
    """A measurement of what enlarged and scrambled can show, with its noise."""
    operator = OPERATORS[name].build(3, SIZE, SIZE)
    shown = decoder.function if isinstance(decoder, Watched) else decoder
    clean = operator(shown(latents(batch, seed=5)))
    return Problem(operator, clean + S * random(*clean.shape, seed=6), S, decoder, encoder)


def white(z, variance=SIGMA**2):
    return Stationary(CosineBasis.of(z), torch.full_like(z[:, :1], variance))


def value(task, z, center, variance=SIGMA**2):
    """Of what a proximal step minimizes, per image."""
    residual = task.residual(z)
    return (dot(residual, residual) / task.noise_std**2 + dot(z - center, z - center) / variance).flatten()


def blurred_prior(x, sigma):
    """Stands for a denoiser: the mean of x and zero, by its noise level."""
    return x / (1 + sigma.view(-1, 1, 1, 1) ** 2)


blurred_prior.sigma_min, blurred_prior.sigma_max = 0.01, 80.0


def test_one_decoding_where_the_mean_jacobian_explains_what_is_seen():
    decoder, encoder = Watched(enlarged), Watched(averaged)
    task, center = problem("super-resolution", decoder, encoder), latents()
    step = LatentStep(task, center)
    assert step.is_explained.all()
    for take in (step.reach, step.refine):
        before = decoder.calls
        z = take(center, white(center))
        assert decoder.calls == before + 1
        assert (value(task, z, center) < value(task, center, center)).all()
    assert decoder.gradients == encoder.calls == 0


def test_encoding_where_it_does_not():
    decoder, encoder = Watched(scrambled), Watched(unscrambled)
    task, center = problem("denoising", decoder, encoder), latents()
    step = LatentStep(task, center)
    assert not step.is_explained.any()
    z = step.reach(center, white(center))
    assert encoder.calls > 0
    assert decoder.gradients == 0
    assert (value(task, z, center) < value(task, center, center)).all()


def test_each_image_goes_its_own_way():
    """A decoder that is a convolution for positive pictures alone."""

    def decoder(z):
        return torch.where(z.mean((1, 2, 3), keepdim=True) > 0, enlarged(z), scrambled(z))

    def encoder(x):
        return torch.where(averaged(x).mean((1, 2, 3), keepdim=True) > 0.2, averaged(x), unscrambled(x))

    center = latents() + torch.tensor([1.0, -1.0]).view(-1, 1, 1, 1)
    operator = OPERATORS["denoising"].build(3, SIZE, SIZE)
    y = decoder(center + 0.1 * random(*center.shape, seed=8))
    together = LatentStep(Problem(operator, y, S, decoder, encoder), center)
    assert together.is_explained.flatten().tolist() == [True, False]
    for take in ("reach", "refine"):
        both = getattr(together, take)(center, white(center))
        for i in range(2):
            one = center[i : i + 1]
            alone = LatentStep(Problem(operator, y[i : i + 1], S, decoder, encoder), one)
            assert torch.allclose(both[i : i + 1], getattr(alone, take)(one, white(one)), atol=1e-4)


@pytest.mark.parametrize("name", ["denoising", "HDR"])
def test_descent_where_the_encoder_loses_the_measurement(name):
    """An encoder that brings back half of every change."""
    decoder, center = Watched(scrambled), latents(seed=5) + 0.3
    task = problem(name, decoder, lambda x: unscrambled(x) / 2)
    step = LatentStep(task, center)
    z = step.refine(center, white(center))
    probes = 1 if name == "HDR" else 0  # of the curvature
    assert decoder.gradients == probes + DESCENT_STEPS
    assert (value(task, z, center) < value(task, step.reach(center, white(center)), center)).all()


@pytest.mark.parametrize("name", OPERATORS)
def test_an_image_does_not_depend_on_its_batch(name):
    batch, center = problem(name, scrambled, unscrambled, batch=3), latents(3)
    alone = Problem(batch.operator, batch.measurement[1:2], S, scrambled, unscrambled)
    for take in ("reach", "refine"):
        together = getattr(LatentStep(batch, center), take)(center, white(center))[1:2]
        single = getattr(LatentStep(alone, center[1:2]), take)(center[1:2], white(center[1:2]))
        assert torch.allclose(together, single, atol=1e-4)


def test_map_estimation_without_a_gradient():
    decoder = Watched(enlarged)
    task = problem("super-resolution", decoder)
    with torch.no_grad():
        estimate = Encoded()(task, blurred_prior, latents(), Noise(0, [0, 1], 1), silent)
    assert decoder.gradients == 0
    assert decoder.calls <= 16
    assert (estimate.residual <= 1.05).all()


def test_map_estimation_without_an_encoder_is_the_annealed_map():
    latent = problem("super-resolution")
    task = Problem(latent.operator, latent.measurement, S)
    start, noise = task.operator.initial_guess(task.measurement), Noise(0, [0, 1], 1)
    ours = Encoded(steps=5)(task, blurred_prior, start, noise, silent)
    assert torch.equal(ours.image, Annealed(steps=5)(task, blurred_prior, start, noise, silent).image)


@pytest.mark.parametrize(("sigma", "gradients"), [(0.7, 0), (0.3, 1), (0.1, 0)])
def test_samples_take_gradients_where_they_tell(sigma, gradients):
    decoder = Watched(enlarged)
    task = problem("super-resolution", decoder)
    x = latents() + sigma * random(2, 3, SIZE // SCALE, SIZE // SCALE)
    with torch.no_grad():
        z = Proximal()(task, blurred_prior)(x, sigma, sigma / 2).denoised
    assert decoder.gradients == gradients
    assert (task.relative_residual(z) < task.relative_residual(blurred_prior(x, torch.tensor(sigma)))).all()
