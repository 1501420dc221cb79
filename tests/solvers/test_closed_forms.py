"""Both stages against exact posteriors: a Gaussian prior, where MAP = MMSE, and a Laplace prior."""

import math

import pytest
import torch
from labs.gaussian import GaussianLab, MirroredPrior, PowerLawPrior
from labs.stationary import StationaryLab

from maprps.linalg.dot import norm
from maprps.models.schedules import ddpm_sigmas
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.resampling import SuperResolution
from maprps.operators.space_varying_blur import SpaceVaryingBlur
from maprps.solvers.guidance import DDNM, DMPS, DPS, MMPS, PiGDM, Proximal
from maprps.solvers.map_estimation import PRINCIPLED, Accelerated, Annealed
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import ancestral, renoised_posterior_sampling, stochastic_adams
from maprps.solvers.problem import Problem, silent
from maprps.solvers.schedules import alpha_bar, posterior_sigmas

S = 0.05
HALF_MISSING = Inpainting.from_mask(torch.rand(32, 32, generator=torch.Generator().manual_seed(0)) < 0.5)
TASKS = {
    "sr": (SuperResolution(4, "box"), S),
    "blur": (GaussianBlur(13, 2.0, "circular"), S),
    "inpainting": (HALF_MISSING, S),
    "denoising": (Denoising(), 0.2),
}


@pytest.fixture(scope="module", params=TASKS)
def lab(request):
    return GaussianLab(PowerLawPrior(), *TASKS[request.param], count=8)


@pytest.fixture(scope="module", params=[("sr", 4), ("blur", 1)], ids=["sr", "blur"])
def linear_lab(request):
    name, factor = request.param
    return StationaryLab(PowerLawPrior(64), *TASKS[name], count=8, factor=factor)


@pytest.fixture(scope="module", params=["inpainting", "denoising"])
def pixelwise_lab(request):
    """What test_distortion_perception, whose lab needs a stationary A, leaves out."""
    return GaussianLab(PowerLawPrior(), *TASKS[request.param], count=1)


def excess(lab, estimate):
    """|x - m|^2 over the least MSE, on average over the images."""
    return float((estimate.image.double() - lab.map).square().flatten(1).sum(1).mean()) / lab.least_mse


def run(method, lab):
    start = lab.operator.initial_guess(lab.measurement)
    return method(lab.problem, lab.prior, start, Noise(0, range(lab.count), 1), silent)


def test_fast_is_within_one_percent_of_the_least_mse(linear_lab):
    estimate = run(Annealed(), linear_lab)
    assert estimate.calls <= 20
    assert excess(linear_lab, estimate) <= 0.01


@pytest.mark.parametrize("prior", [PowerLawPrior, MirroredPrior])
def test_fast_inpaints_within_half_a_percent_of_the_least_mse(prior):
    lab = GaussianLab(prior(), *TASKS["inpainting"], count=8)
    estimate = run(Annealed(), lab)
    assert estimate.calls <= 8
    assert excess(lab, estimate) <= 0.005


def test_accurate_converges_to_the_map(linear_lab):
    estimate = run(Accelerated(), linear_lab)
    assert estimate.calls <= 40
    error = norm(estimate.image.double() - linear_lab.map) / norm(linear_lab.map)
    assert error.max() <= 0.003


def test_the_papers_stage_1_with_the_principled_weight(lab):
    estimate = run(PRINCIPLED, lab)
    error = norm(estimate.image.double() - lab.map) / norm(lab.map)
    assert error.mean() <= 0.03


def test_laplace_prior_gives_soft_thresholding():
    """A = I. The method's rest point is the MAP under the prior smoothed by sigma_end, here found on a grid; that of
    the Laplace prior itself moves every pixel by s^2 / b towards 0, and not past it."""
    b, s, sigma_end = 0.2, 0.2, 0.01

    def log_halves(x, sigma):
        """The two terms of the smoothed density, x > 0 and x < 0 before smoothing."""
        shift = sigma**2 / b
        right = -x / b + torch.special.log_ndtr((x - shift) / sigma)
        left = x / b + torch.special.log_ndtr(-(x + shift) / sigma)
        return right, left, shift

    def denoise(x, sigma):
        right, left, shift = log_halves(x.double(), sigma.double().view(-1, 1, 1, 1))
        weight = torch.sigmoid(right - left)
        return (weight * (x - shift) + (1 - weight) * (x + shift)).float()

    y = torch.linspace(-1, 1, 256)
    problem = Problem(Denoising().build(1, 16, 16), y.view(1, 1, 16, 16), s)
    method = Accelerated(steps=200, anneal=20, sigma_end=sigma_end, tolerance=1e-7)
    estimate = method(problem, denoise, problem.measurement, Noise(0, [0], 1), silent).image.flatten()

    grid = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    right, left, _ = log_halves(grid, torch.tensor(sigma_end, dtype=torch.float64))
    smoothed = grid[((y[:, None] - grid) ** 2 / (2 * s**2) - torch.logaddexp(right, left)).argmin(1)]
    assert (estimate - smoothed).abs().max() <= 5e-4
    soft = y.sign() * (y.abs() - s**2 / b).clamp_min(0)
    assert (estimate - soft).abs().max() <= 2 * sigma_end


def moments(lab, guidance, renoise, steps, count):
    """Bias of the mean over |m|, without the Monte Carlo's own error, and the ratios of the variance to the exact one
    in measured and in null directions, what the last step must lose left out of both."""
    sigma = float(ddpm_sigmas()[round(renoise * 1000) - 1])
    problem = Problem(lab.operator, lab.measurement[:1].expand(count, -1, -1, -1), lab.noise_std)
    sigmas = posterior_sigmas(problem, sigma, lab.prior.sigma_min, steps)
    m = lab.map[:1]
    samples = renoised_posterior_sampling(
        problem,
        lab.prior,
        guidance,
        stochastic_adams,
        m.float().expand(count, -1, -1, -1),
        sigmas,
        Noise(1, range(count), 2),
        silent,
    )
    offset = (samples.double() - m).flatten(1)
    mean = offset.mean(0)
    covariance = (offset - mean).T @ (offset - mean) / (count - 1)
    bias = float(mean.square().sum() - covariance.trace() / count)
    _, exact = lab.renoised(sigma)
    eye = torch.eye(len(exact), dtype=exact.dtype)
    end = sigmas[-2] ** 2
    exact = exact - end * torch.linalg.solve(lab.posterior + end * eye, lab.posterior)
    _, singular, rows = torch.linalg.svd(lab.matrix, full_matrices=True)
    rank = int((singular > 1e-6 * singular[0]).sum())
    ratios = [
        float((p @ covariance @ p.T).trace() / (p @ exact @ p.T).trace()) for p in (rows[:rank], rows[rank:]) if len(p)
    ]
    return math.sqrt(max(bias, 0.0)) / float(m.norm()), ratios


@pytest.mark.parametrize("renoise", [0.1, 0.2])
def test_default_guidance(pixelwise_lab, renoise):
    bias, ratios = moments(pixelwise_lab, Proximal(), renoise, steps=0, count=384)
    assert bias <= 0.02
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.06)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("renoise", [0.2, 1.0])
def test_default_guidance_where_the_covariance_is_stationary(task, renoise):
    """As it reads it: on images that are mirrored beyond their borders. On periodic ones, that costs up to 3 %."""
    lab = GaussianLab(MirroredPrior(), *TASKS[task], count=1)
    bias, ratios = moments(lab, Proximal(), renoise, steps=0, count=384)
    assert bias <= 0.02
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.06)


def test_default_guidance_from_pure_noise_has_the_posteriors_variance(pixelwise_lab):
    _, ratios = moments(pixelwise_lab, Proximal(), 1.0, steps=0, count=384)
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.06)


@pytest.mark.slow
def test_moment_matching_in_32_steps():
    lab = GaussianLab(PowerLawPrior(), *TASKS["inpainting"], count=1)
    bias, ratios = moments(lab, MMPS(), 1.0, steps=32, count=128)
    assert bias <= 0.02
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.06)


NOTHING_MISSING = Inpainting.from_mask(torch.zeros(8, 8))


@pytest.mark.parametrize("degradation", [Denoising(), NOTHING_MISSING], ids=["denoising", "mask of nothing"])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0, 80.0])
def test_denoising_is_guided_by_the_posterior_mean(degradation, sigma):
    """E[x0 | x_sigma, y], at every level that re-noising may start from; the sampler's own law is another test's."""
    lab = GaussianLab(PowerLawPrior(size=8), degradation, 0.2, count=2)
    x = lab.truth + sigma * torch.randn(lab.truth.shape, generator=torch.Generator().manual_seed(4))
    denoised, jacobian, a, residual = dense(lab, x, sigma)
    covariance = sigma**2 * jacobian
    expected = denoised + residual @ torch.linalg.solve(covariance + 0.2**2 * torch.eye(len(a)), covariance)
    assert (guided(lab, x, sigma, Proximal()) - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("degradation", [Denoising(), NOTHING_MISSING], ids=["denoising", "mask of nothing"])
def test_fast_is_the_posterior_mean_of_denoising_in_one_call(degradation):
    lab = GaussianLab(PowerLawPrior(size=8), degradation, 0.2, count=2)
    estimate = run(Annealed(), lab)
    assert estimate.calls == lab.prior.calls == 1
    assert (estimate.image - lab.map).norm() <= 1e-6 * lab.map.norm()


@pytest.fixture(scope="module")
def small():
    """A lab of 8 x 8 pixels in float64, with a noisy state x at sigma."""
    lab = GaussianLab(PowerLawPrior(size=8), GaussianBlur(5, 1.0, "circular"), S, count=2)
    x = lab.truth + 0.7 * torch.randn(lab.truth.shape, generator=torch.Generator().manual_seed(4))
    return lab, x, 0.7


def dense(lab, x, sigma):
    """x0h, its Jacobian, A and the residual, flat and in float64."""
    c = lab.prior.covariance
    jacobian = torch.linalg.solve(c + sigma**2 * torch.eye(len(c), dtype=c.dtype), c)
    denoised = lab.prior.mean + (x.double().flatten(1) - lab.prior.mean) @ jacobian.T
    residual = lab.measurement.double().flatten(1) - denoised @ lab.matrix.T
    return denoised, jacobian, lab.matrix, residual


def guided(lab, x, sigma, guidance):
    return guidance(lab.problem, lab.prior)(x, sigma, sigma / 2).denoised.double().flatten(1)


def test_moment_matching_is_the_posterior_mean(small):
    """E[x0 | x_sigma, y], exact for a Gaussian prior."""
    lab, x, sigma = small
    denoised, jacobian, a, residual = dense(lab, x, sigma)
    covariance = sigma**2 * jacobian
    gram = a @ covariance @ a.T + S**2 * torch.eye(len(a), dtype=a.dtype)
    expected = denoised + residual @ torch.linalg.solve(gram, a @ covariance)
    result = guided(lab, x, sigma, MMPS(tolerance=1e-5, preconditioned=64))
    assert (result - expected).norm() <= 1e-4 * expected.norm()


def test_pigdm_is_its_formula(small):
    lab, x, sigma = small
    denoised, jacobian, a, residual = dense(lab, x, sigma)
    r2 = sigma**2 / (1 + sigma**2)
    weights = torch.linalg.solve(S**2 * torch.eye(len(a), dtype=a.dtype) + r2 * a @ a.T, residual.T).T
    expected = denoised + sigma**2 * weights @ a @ jacobian
    assert (guided(lab, x, sigma, PiGDM()) - expected).norm() <= 1e-4 * expected.norm()


def test_dmps_is_its_formula(small):
    lab, x, sigma = small
    denoised, _, a, _ = dense(lab, x, sigma)
    residual = lab.measurement.double().flatten(1) - x.double().flatten(1) @ a.T
    weights = torch.linalg.solve(S**2 * torch.eye(len(a), dtype=a.dtype) + sigma**2 * a @ a.T, residual.T).T
    expected = denoised + sigma**2 * weights @ a
    assert (guided(lab, x, sigma, DMPS()) - expected).norm() <= 1e-4 * expected.norm()


def test_dps_with_the_gaussian_likelihood_is_its_formula(small):
    lab, x, sigma = small
    denoised, jacobian, a, residual = dense(lab, x, sigma)
    expected = denoised + (sigma / S) ** 2 * residual @ a @ jacobian
    assert (guided(lab, x, sigma, DPS(scale=None)) - expected).norm() <= 1e-4 * expected.norm()


def test_dps_with_ancestral_steps_is_the_published_stage_2(small):
    """Against a transcription of the paper's loop in the variance-preserving variable, on the same noise."""
    lab, _, _ = small
    levels = ddpm_sigmas()[:30].flip(0).tolist()
    estimate = lab.map.float()
    result = renoised_posterior_sampling(
        lab.problem, lab.prior, DPS(0.3), ancestral, estimate, [*levels, 0.0], Noise(9, range(2), 2), silent
    )

    noise = Noise(9, range(2), 2)
    bars = [alpha_bar(sigma) for sigma in levels]
    x = math.sqrt(bars[0]) * estimate + math.sqrt(1 - bars[0]) * noise.like(estimate)
    for i, ab in enumerate(bars):
        following = bars[i + 1] if i + 1 < len(bars) else 1.0
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            denoised = lab.prior(x / math.sqrt(ab), torch.full((2,), math.sqrt((1 - ab) / ab)))
            distance = (lab.measurement - lab.operator(denoised)).flatten(1).norm(dim=1).sum()
            (gradient,) = torch.autograd.grad(distance, x)
        e = (x - math.sqrt(ab) * denoised) / math.sqrt(1 - ab)
        variance = (1 - following) / (1 - ab) * (1 - ab / following)
        x = math.sqrt(following) * denoised + math.sqrt(max(1 - following - variance, 0.0)) * e
        if following < 1:
            x = x + math.sqrt(variance) * noise.like(x)
        x = (x - 0.3 * gradient).detach()
    assert (result - x).norm() <= 1e-4 * x.norm()


@pytest.mark.parametrize(("sigma", "following"), [(2.0, 1.0), (0.1, 0.05), (0.03, 0.029), (0.03, 0.0)])
def test_ddnm_replaces_what_was_measured_and_keeps_the_steps_noise(sigma, following):
    """Its formula for a mask. A whole replacement brings noise s w into the step, with w = 1 - sigma'^2 / sigma^2. With
    the noise drawn on top it must make up the step's own, sigma' sqrt(w); where it brings more, it is reduced."""
    missing = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    lab = GaussianLab(PowerLawPrior(size=8), Inpainting.from_mask(missing), S, count=2)
    x = lab.truth + sigma * torch.randn(lab.truth.shape, generator=torch.Generator().manual_seed(4))
    denoised = lab.prior(x, torch.full((2,), sigma))
    corrected, noise_scale = DDNM()(lab.problem, lab.prior)(x, sigma, following)
    w = 1 - (following / sigma) ** 2
    amount = min(1.0, following * math.sqrt(w) / (w * S))
    expected = torch.where(missing, denoised, denoised + amount * (lab.measurement - denoised))
    assert torch.allclose(corrected, expected, atol=1e-6)
    assert (amount * w * S) ** 2 + (noise_scale * following) ** 2 * w == pytest.approx(following**2 * w, abs=1e-12)


@pytest.mark.parametrize("degradation", [MotionBlur(7.0, seed=2), SpaceVaryingBlur(0.5, 1.5), SuperResolution(2)])
@pytest.mark.parametrize(("sigma", "following"), [(2.0, 1.0), (0.1, 0.05), (0.03, 0.029)])
def test_ddnm_replaces_along_each_direction_what_its_noise_allows(degradation, sigma, following):
    """Its formula by singular values, also where the pseudo-inverse takes thousands of steps: not here."""
    lab = GaussianLab(PowerLawPrior(size=16), degradation, S, count=2)
    x = lab.truth + sigma * torch.randn(lab.truth.shape, generator=torch.Generator().manual_seed(4))
    operator, calls = lab.problem.operator, []
    operator.register = operator._forward
    operator._forward = lambda v: calls.append(1) or operator.register(v)
    corrected, noise_scale = DDNM()(lab.problem, lab.prior)(x, sigma, following)
    assert len(calls) <= 300  # |A| by Lanczos, and one system
    denoised = lab.prior(x, torch.full((2,), sigma))
    basis = torch.eye(256).view(256, 1, 16, 16)
    u, d, vt = torch.linalg.svd(operator(basis).flatten(1).T.double(), full_matrices=False)
    w = 1 - (following / sigma) ** 2
    k = max(S * math.sqrt(w) / following, 0.03 * float(d.max()))
    correction = (lab.problem.residual(denoised).flatten(1).double() @ u * d / (d**2 + k**2)) @ vt
    error = (corrected - denoised).flatten(1) - correction
    assert error.norm() <= 2e-3 * correction.norm()  # twice SOLVE_TOLERANCE
    brought = d.max() / (d.max() ** 2 + k**2) * w * S
    assert float(brought**2 + (noise_scale * following) ** 2 * w) == pytest.approx(following**2 * w, rel=1e-3)
