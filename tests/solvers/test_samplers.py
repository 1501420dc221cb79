"""Both samplers with exact guidance for Gaussian posteriors of one dimension each, whose law is known in closed form.

Everything is linear: a batch in which every image sees one draw only yields the law itself, without Monte Carlo.
"""

import pytest
import torch
from labs.draws import Draws

from maprps.models.schedules import ddpm_sigmas
from maprps.solvers.guidance import Guided
from maprps.solvers.posterior_sampling import ancestral, dpm_solver, stochastic_adams
from maprps.solvers.problem import silent
from maprps.solvers.schedules import log_sigmas, sampling_sigmas

VARIANCES = torch.logspace(-4, 1.5, 40, dtype=torch.float64).view(1, 1, 1, -1)


class OneDrawEach(Draws):
    """The k-th draw is 1 for image k + 1 and 0 for all others."""

    def __init__(self):
        self.drawn = 0

    def like(self, x):
        self.drawn += 1
        draw = torch.zeros_like(x)
        draw[self.drawn] = 1
        return draw


class NoDraw(Draws):
    def like(self, x):
        return torch.zeros_like(x)


def guided(x, sigma, next_sigma):
    """E[x0 | x_sigma, y] for N(0, v)."""
    return Guided(VARIANCES / (VARIANCES + sigma**2) * x)


def sampled_variance(sampler, sigmas):
    """Of what comes out when 0 is renoised to the first level. Image 0 sees the renoising, image k the k-th draw."""
    start = torch.zeros(len(sigmas), 1, 1, VARIANCES.numel(), dtype=torch.float64)
    start[0] = sigmas[0]
    return sampler(guided, start, sigmas, OneDrawEach(), silent).square().sum(0)


def exact_variance(sigmas):
    """One draw of p(x0 | x_sigma*), less v q / (v + q) for the mean that the last step takes at q."""
    first, last = sigmas[0] ** 2, sigmas[-2] ** 2
    return (VARIANCES * (1 - (VARIANCES / (VARIANCES + first)) ** 2) - VARIANCES * last / (VARIANCES + last))[0]


@pytest.mark.parametrize("start", [0.092, 0.3, 1.0, 14.6, 157.0])
def test_as_many_steps_as_the_schedule_chooses(start):
    sigmas = sampling_sigmas(start, 0.03, 0)
    assert 12 <= len(sigmas) - 1 <= 20
    ratio = sampled_variance(stochastic_adams, sigmas) / exact_variance(sigmas)
    resolved = (VARIANCES > 0.03**2)[0]
    assert ratio[resolved].sub(1).abs().max() <= 0.06
    assert ratio[resolved].mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("sampler", "rates"), [(dpm_solver, (3, 5)), (stochastic_adams, (3, 9))])
def test_the_variance_converges_with_second_order_or_more(sampler, rates):
    errors = []
    for steps in (64, 128, 256):
        sigmas = log_sigmas(14.6, 0.03, steps)
        errors.append(float((sampled_variance(sampler, sigmas) / exact_variance(sigmas) - 1).abs().max()))
    assert rates[0] <= errors[0] / errors[1] <= rates[1]
    assert rates[0] <= errors[1] / errors[2] <= rates[1]


def test_the_mean_converges_with_second_order():
    """On D(x) = x / 2, along which x falls as sigma: dx = 2 (D - x) d(-log sigma)."""
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    errors = []
    for steps in (32, 64, 128):
        result = dpm_solver(lambda x, *_: Guided(x / 2), x, log_sigmas(1.0, 0.1, steps + 1), NoDraw(), silent)
        errors.append(abs(float(result) - 0.05))
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.5)
    assert errors[1] / errors[2] == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("sampler", [ancestral, dpm_solver, stochastic_adams])
def test_the_mean_of_exact_guidance_is_exact_in_any_number_of_steps(sampler):
    """E[x0 | x_sigma, y] is a martingale: along the mean path, the denoised image stands still."""
    x = torch.ones_like(VARIANCES)
    result = sampler(guided, x, sampling_sigmas(1.0, 0.03, 5), NoDraw(), silent)
    assert torch.allclose(result, VARIANCES / (VARIANCES + 1), rtol=1e-12, atol=0)


@pytest.mark.parametrize(("t0", "smallest"), [(200, 0.5), (1000, 0.4)])
def test_every_ancestral_step_of_ddpm(t0, smallest):
    """First order: of a mode of std below `smallest`, DDPM's grid, sparse at its lower end, loses more than 2 %."""
    sigmas = [*ddpm_sigmas()[:t0].flip(0).tolist(), 0.0]
    ratio = sampled_variance(ancestral, sigmas) / exact_variance(sigmas)
    assert ratio[VARIANCES[0] > smallest**2].sub(1).abs().max() <= 0.02


def test_ancestral_steps_converge_with_first_order():
    errors = []
    for steps in (100, 200, 400):
        sigmas = log_sigmas(2.0, 0.03, steps)
        errors.append(float((sampled_variance(ancestral, sigmas) / exact_variance(sigmas) - 1).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("sampler", [ancestral, dpm_solver, stochastic_adams])
def test_callback_and_cancel(sampler):
    seen = []
    x = torch.ones_like(VARIANCES)
    sampler(guided, x, log_sigmas(1.0, 0.1, 5), NoDraw(), lambda step, total, _: seen.append((step, total)))
    assert seen == [(step, 5) for step in range(1, 6)]

    calls = []

    def counted(x, sigma, next_sigma):
        calls.append(sigma)
        return guided(x, sigma, next_sigma)

    def cancel(step, total, estimate):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampler(counted, x, log_sigmas(1.0, 0.1, 5), NoDraw(), cancel)
    assert len(calls) == 2
