"""Guidance through a decoder: a linear D from Gaussian latents, where every gradient is known in closed form."""

import math

import pytest
import torch
from labs.gaussian import PowerLawPrior

from maprps.linalg.dot import norm
from maprps.models.schedules import ddpm_sigmas
from maprps.operators.base import Operator
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space import Space
from maprps.solvers.guidance import DCDP, DPS, LDIR, PSLD, LatentDPS
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import ancestral, dpm_solver, renoised_posterior_sampling
from maprps.solvers.problem import Problem, identity, silent
from maprps.solvers.schedules import alpha_bar, log_sigmas

LATENT, PIXELS, BATCH, S = 6, 12, 3, 0.05
SIGMA, NEXT = 0.7, 0.4
PRIOR = PowerLawPrior(LATENT, pixel_variance=1.0)
OPERATORS = {
    "denoising": Denoising(),
    "inpainting": Inpainting.from_mask(torch.rand(PIXELS, PIXELS, generator=torch.Generator().manual_seed(0)) < 0.5),
    "super-resolution": SuperResolution(2, "box"),
    "blur": GaussianBlur(5, 1.0, "reflect"),
}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Linear:
    """x -> matrix x, from images of `size` x `size` pixels; the matrix stays in float64."""

    def __init__(self, matrix, size):
        self.matrix, self.size = matrix, size

    def __call__(self, x):
        return (x.double().flatten(1) @ self.matrix.T).view(-1, 1, self.size, self.size).to(x.dtype)


DECODER = Linear(random(PIXELS**2, LATENT**2, seed=1) / PIXELS, PIXELS)
ENCODER = Linear(random(LATENT**2, PIXELS**2, seed=2) / PIXELS, LATENT)  # no inverse of D: the formula holds for any


def state():
    return random(BATCH, 1, LATENT, LATENT, seed=4)


def problem(name, decoder=DECODER, encoder=ENCODER):
    operator = OPERATORS[name].build(1, PIXELS, PIXELS, dtype=torch.float64)
    y = random(BATCH, *operator.measurement_shape, seed=3)  # with something where pixels are missing, as pictures have
    return Problem(operator, y, S, decoder, encoder)


def dense(task, x):
    """x0h, d x0h / d x_t, A D, A and y - A D x0h, flat and in float64."""
    eye = torch.eye(PIXELS**2, dtype=torch.float64).view(-1, 1, PIXELS, PIXELS)
    a = task.operator.keep(task.operator(eye)).flatten(1).T
    c = PRIOR.covariance
    jacobian = torch.linalg.solve(c + SIGMA**2 * torch.eye(len(c), dtype=c.dtype), c)
    denoised = PRIOR.mean + (x.flatten(1) - PRIOR.mean) @ jacobian.T
    matrix = a @ task.decoder.matrix
    residual = task.operator.keep(task.measurement).flatten(1) - denoised @ matrix.T
    return denoised, jacobian / math.sqrt(alpha_bar(SIGMA)), matrix, a, residual


def restated(step):
    """A step in x_t-1 as a change of the denoised latent."""
    return step / (math.sqrt(alpha_bar(NEXT)) * (1 - (NEXT / SIGMA) ** 2))


def lengths(stable, difference):
    """What |difference|^2, or |difference| where stable, has as gradient, over difference."""
    return 1 / difference.norm(dim=1, keepdim=True) if stable else 2.0


def guided(task, guidance, x):
    return guidance(task, PRIOR)(x, SIGMA, NEXT).denoised.flatten(1)


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("name", OPERATORS)
def test_latent_dps_is_its_formula(name, stable):
    task, x = problem(name), state()
    denoised, jacobian, matrix, _, residual = dense(task, x)
    gradient = -lengths(stable, residual) * residual @ matrix @ jacobian
    expected = denoised - restated(0.3 * alpha_bar(SIGMA) * gradient)
    assert torch.allclose(guided(task, LatentDPS(0.3, stable), x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("name", OPERATORS)
def test_psld_is_its_formula(name, stable):
    """With the transpose of A, over |A|^2."""
    task, x = problem(name), state()
    denoised, jacobian, matrix, a, residual = dense(task, x)
    put_in = ENCODER.matrix @ a.T / torch.linalg.matrix_norm(a, 2) ** 2
    unglued = denoised - denoised @ DECODER.matrix.T @ ENCODER.matrix.T - residual @ put_in.T
    slope = torch.eye(LATENT**2, dtype=torch.float64) - ENCODER.matrix @ DECODER.matrix + put_in @ matrix
    gradient = -lengths(stable, residual) * residual @ matrix
    gradient = (gradient + 0.2 * lengths(stable, unglued) * unglued @ slope) @ jacobian
    expected = denoised - restated(0.3 * alpha_bar(SIGMA) * gradient)
    result = guided(task, PSLD(0.3, 0.2, stable), x)
    assert (result - expected).norm() <= 1e-5 * (expected - denoised).norm()  # |A| is found by power iteration


def test_psld_leaves_a_latent_that_explains_the_measurement():
    """Where E inverts D, both terms are at rest there."""
    encoder = Linear(torch.linalg.pinv(DECODER.matrix), LATENT)
    task, x = problem("super-resolution", encoder=encoder), state()
    denoised = PRIOR(x, torch.full((BATCH,), SIGMA, dtype=torch.float64))
    task = Problem(task.operator, task.operator(DECODER(denoised)), S, DECODER, encoder)
    assert torch.allclose(PSLD(1.0, 1.0)(task, PRIOR)(x, SIGMA, NEXT).denoised, denoised, rtol=0, atol=1e-6)


def pixel_problem(name):
    operator = OPERATORS[name].build(1, PIXELS, PIXELS, dtype=torch.float64)
    return Problem(operator, random(BATCH, *operator.measurement_shape, seed=3), S, encoder=identity)


def test_latent_dps_on_pixels_is_dps_weighted_by_alpha_bar():
    task, x, prior = pixel_problem("blur"), random(BATCH, 1, PIXELS, PIXELS, seed=4), PowerLawPrior(PIXELS)
    latent = LatentDPS(0.3, stable=True)(task, prior)(x, SIGMA, NEXT).denoised
    pixel = DPS(0.3 * alpha_bar(SIGMA))(task, prior)(x, SIGMA, NEXT).denoised
    assert torch.allclose(latent, pixel, rtol=0, atol=1e-6)


def test_the_two_terms_of_psld_agree_on_the_pixels_of_a_mask():
    """|x - (x + A^T (y - A x))| = |y - A x|."""
    task, x, prior = pixel_problem("inpainting"), random(BATCH, 1, PIXELS, PIXELS, seed=4), PowerLawPrior(PIXELS)
    psld = PSLD(0.3, 0.5)(task, prior)(x, SIGMA, NEXT).denoised
    dps = LatentDPS(0.3 * 1.5)(task, prior)(x, SIGMA, NEXT).denoised
    assert torch.allclose(psld, dps, rtol=0, atol=1e-6)


def test_latent_dps_with_ancestral_steps_is_the_released_stage_2():
    """Against a transcription of the loop in the variance-preserving variable, on the same noise."""
    task, estimate = problem("super-resolution"), state()
    levels = ddpm_sigmas()[:30].flip(0).tolist()
    result = renoised_posterior_sampling(
        task, PRIOR, LatentDPS(0.2), ancestral, estimate, [*levels, 0.0], Noise(9, range(BATCH), 2), silent
    )

    noise = Noise(9, range(BATCH), 2)
    bars = [alpha_bar(sigma) for sigma in levels]
    x = math.sqrt(bars[0]) * estimate + math.sqrt(1 - bars[0]) * noise.like(estimate)
    for i, ab in enumerate(bars):
        following = bars[i + 1] if i + 1 < len(bars) else 1.0
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            denoised = PRIOR(x / math.sqrt(ab), torch.full((BATCH,), math.sqrt((1 - ab) / ab)))
            distance = (task.measurement - task.operator(DECODER(denoised))).square().sum()
            (gradient,) = torch.autograd.grad(distance, x)
        e = (x - math.sqrt(ab) * denoised) / math.sqrt(1 - ab)
        variance = (1 - following) / (1 - ab) * (1 - ab / following)
        x = math.sqrt(following) * denoised + math.sqrt(max(1 - following - variance, 0.0)) * e
        if following < 1:
            x = x + math.sqrt(variance) * noise.like(x)
        x = (x - 0.2 * ab * gradient).detach()
    assert (result - x).norm() <= 1e-5 * x.norm()


@pytest.mark.parametrize(("sampler", "bound"), [(ancestral, 1.0), (dpm_solver, 0.5)])
def test_the_step_size_at_which_latent_dps_loses_stability(sampler, bound):
    """scale |A D|^2 at the bound, on a prior so wide that the denoiser passes everything."""
    task, prior = problem("denoising"), PowerLawPrior(LATENT, pixel_variance=1e6, exponent=0.0)
    gain = float(torch.linalg.matrix_norm(DECODER.matrix, 2)) ** 2

    def residual(part):
        result = renoised_posterior_sampling(
            task,
            prior,
            LatentDPS(part * bound / gain),
            sampler,
            state(),
            log_sigmas(1.0, 0.01, 300),
            Noise(0, range(BATCH), 2),
            silent,
        )
        return float(task.relative_residual(result).max())

    least = task.measurement.flatten(1).norm(dim=1).max() / math.sqrt(task.operator.measured) / S
    assert residual(0.95) <= 2 * least
    assert residual(1.05) >= 100 * least


def run(guidance, task=None, estimate=None, samples=range(BATCH)):
    return renoised_posterior_sampling(
        task or problem("super-resolution"),
        PRIOR,
        guidance,
        ancestral,
        state() if estimate is None else estimate,
        log_sigmas(1.0, 0.05, 8),
        Noise(3, samples, 2),
        silent,
    )


def test_ldir_without_momentum_is_latent_dps():
    assert torch.equal(run(LDIR(0.2, momentum=0.0)), run(LatentDPS(0.2)))


def test_ldir_averages_the_gradients_of_all_steps():
    """The step at the third call, from the gradients that LatentDPS takes at the three states."""
    task, levels = problem("blur"), [1.0, 0.7, 0.5, 0.3]
    states = [random(BATCH, 1, LATENT, LATENT, seed=seed) for seed in (5, 6, 7)]
    guided = LDIR(0.3, momentum=0.8)(task, PRIOR)
    weights = torch.tensor([0.8**2, 0.8, 1.0], dtype=torch.float64)
    gradients = []
    for x, sigma, following in zip(states, levels[:-1], levels[1:], strict=True):
        advance = math.sqrt(alpha_bar(following)) * (1 - (following / sigma) ** 2)
        denoised = PRIOR(x, torch.full((BATCH,), sigma, dtype=torch.float64))
        alone = LatentDPS(0.3)(task, PRIOR)(x, sigma, following).denoised
        gradients.append((denoised - alone) * advance / alpha_bar(sigma))
        result = guided(x, sigma, following).denoised
    mean = torch.tensordot(weights / weights.sum(), torch.stack(gradients), 1)
    assert torch.allclose(result, denoised - mean * alpha_bar(sigma) / advance, rtol=0, atol=1e-6)


def test_every_run_of_ldir_begins_without_a_history():
    guidance = LDIR(0.2)
    first = run(guidance)
    assert torch.equal(run(guidance), first)
    assert not torch.allclose(run(LatentDPS(0.2)), first, atol=1e-3)


@pytest.mark.parametrize("name", ["denoising", "inpainting"])
def test_dcdp_converges_to_the_least_squares_latent(name):
    """A D has full column rank for both. 500 steps of Adam."""
    task, x = problem(name), state()
    _, _, matrix, _, _ = dense(task, x)
    expected = task.operator.keep(task.measurement).flatten(1) @ torch.linalg.pinv(matrix).T
    result = guided(task, DCDP(0.05, steps=500), x)
    assert (result - expected).norm() <= 1e-3 * expected.norm()


def test_the_first_step_of_dcdp_moves_every_entry_by_the_step_size():
    """As Adam's does, against the sign of the gradient."""
    task, x = problem("blur"), state()
    denoised, _, matrix, _, residual = dense(task, x)
    expected = denoised + 0.05 * (residual @ matrix).sign()
    assert torch.allclose(guided(task, DCDP(0.05, steps=1), x), expected, rtol=0, atol=1e-5)


def test_dcdp_denoises_once_and_takes_no_gradient_of_it():
    weight, calls = torch.ones((), dtype=torch.float64, requires_grad=True), []

    def denoise(x, sigma):
        calls.append(sigma)
        return weight * PRIOR(x, sigma)

    result = DCDP()(problem("blur"), denoise)(state(), SIGMA, NEXT)
    assert len(calls) == 1
    assert not result.denoised.requires_grad and result.noise_scale == 1


TERMS = {
    "latent DPS": LatentDPS(0.2),
    "latent DPS, stable": LatentDPS(0.2, stable=True),
    "PSLD": PSLD(0.2),
    "LDIR": LDIR(0.2),
    "DCDP": DCDP(),
}


@pytest.mark.parametrize("name", TERMS)
def test_a_sample_does_not_depend_on_its_batch(name):
    task, estimate = problem("super-resolution"), state()
    together = run(TERMS[name], task, estimate, [0, 1, 0])
    alone = Problem(task.operator, task.measurement[2:], S, DECODER, ENCODER)
    assert torch.allclose(run(TERMS[name], alone, estimate[2:], [0]), together[2:], rtol=0, atol=1e-6)


class Saturating(Operator):
    """tanh of every pixel."""

    def __init__(self):
        space = Space(1, PIXELS, PIXELS, torch.device("cpu"), torch.float64)
        super().__init__(space, space.shape)

    def _forward(self, x):
        return torch.tanh(x)

    def _initial_guess(self, y):
        return y


def saturating(encoder=ENCODER):
    operator = Saturating()
    return Problem(operator, operator(DECODER(2 * random(BATCH, 1, LATENT, LATENT, seed=8))), S, DECODER, encoder)


@pytest.mark.parametrize("name", [name for name in TERMS if name != "PSLD"])
def test_nonlinear_degradations_are_followed(name):
    task, x = saturating(), state()
    denoised = PRIOR(x, torch.full((BATCH,), SIGMA, dtype=torch.float64))
    result = TERMS[name](task, PRIOR)(x, SIGMA, NEXT).denoised
    assert (norm(task.residual(result)) < norm(task.residual(denoised))).all()


def test_psld_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="linear degradation"):
        PSLD()(saturating(), PRIOR)(state(), SIGMA, NEXT)
    with pytest.raises(ValueError, match="encoder"):
        PSLD()(problem("blur", encoder=None), PRIOR)(state(), SIGMA, NEXT)
