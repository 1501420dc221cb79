"""Seeds, batches, schedules, GMRES, and the callback."""

import pytest
import torch
from labs.gaussian import GaussianLab, PowerLawPrior

from maprps.linalg.gmres import gmres
from maprps.models.schedules import ddpm_sigmas
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import DPS, MMPS, Proximal
from maprps.solvers.map_estimation import Accelerated, Annealed, Paper
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import (
    ancestral,
    dpm_solver,
    renoised_posterior_sampling,
    stochastic_adams,
)
from maprps.solvers.problem import Problem, silent
from maprps.solvers.schedules import log_sigmas, sampling_sigmas


@pytest.fixture(scope="module")
def lab():
    return GaussianLab(PowerLawPrior(size=16), SuperResolution(2, "box"), 0.05, count=4)


def one(lab, index):
    return Problem(lab.operator, lab.measurement[index : index + 1], lab.noise_std)


@pytest.mark.parametrize("method", [Annealed(), Accelerated(), Paper(steps=20)], ids=["fast", "accurate", "paper"])
def test_an_estimate_does_not_depend_on_its_batch(lab, method):
    start = lab.operator.initial_guess(lab.measurement)
    together = method(lab.problem, lab.prior, start, Noise(0, [0] * 4, 1), silent).image
    alone = method(one(lab, 2), lab.prior, start[2:3], Noise(0, [0], 1), silent).image
    assert (together[2:3] - alone).abs().max() <= 1e-5


def test_images_that_converge_early_stay_as_they_are(lab):
    """At a tolerance that some of the batch meet well before the last."""
    method = Accelerated(steps=30, tolerance=2e-3)
    start = lab.operator.initial_guess(lab.measurement)
    start[0] = lab.map[0]
    together = method(lab.problem, lab.prior, start, Noise(0, [0] * 4, 1), silent)
    calls = []
    for i in range(4):
        alone = method(one(lab, i), lab.prior, start[i : i + 1], Noise(0, [0], 1), silent)
        calls.append(alone.calls)
        assert (together.image[i : i + 1] - alone.image).abs().max() <= 1e-5
    assert together.calls == max(calls) > min(calls)


@pytest.mark.parametrize("guidance", [Proximal(), DPS(), MMPS()], ids=["proximal", "DPS", "MMPS"])
@pytest.mark.parametrize("sampler", [dpm_solver, ancestral, stochastic_adams])
def test_a_sample_does_not_depend_on_its_batch(lab, guidance, sampler):
    estimate = lab.map.float()
    sigmas = sampling_sigmas(0.5, 0.03, 6)
    together = renoised_posterior_sampling(
        lab.problem, lab.prior, guidance, sampler, estimate, sigmas, Noise(3, [0, 1, 0, 1], 2), silent
    )
    alone = renoised_posterior_sampling(
        one(lab, 2), lab.prior, guidance, sampler, estimate[2:3], sigmas, Noise(3, [0], 2), silent
    )
    assert (together[2:3] - alone).abs().max() <= 1e-4


def test_noise_streams():
    x = torch.zeros(3, 1, 4, 4)
    noise = Noise(2**64 - 1, [0, 1, 0], 2).like(x)
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    assert torch.equal(noise[1:2], Noise(2**64 - 1, [1], 2).like(x[:1]))
    assert not torch.equal(noise[0], Noise(2**64 - 1, [0], 1).like(x)[0])
    assert not torch.equal(noise[0], Noise(2**64 - 2, [0], 2).like(x)[0])


def test_noise_drawn_ahead_is_the_same():
    x = torch.zeros(2, 1, 4, 4)
    ahead, plain = Noise(0, [0, 1], 2), Noise(0, [0, 1], 2)
    for early in (False, True, True, False):
        if early:
            ahead.draw_ahead(x)
        assert torch.equal(ahead.like(x), plain.like(x))


def test_no_renoising_returns_the_estimate_itself(lab):
    estimate = lab.map.float()
    result = renoised_posterior_sampling(
        lab.problem, lab.prior, Proximal(), dpm_solver, estimate, [0.0], Noise(0, range(4), 2), silent
    )
    assert torch.equal(result, estimate)


def test_the_papers_noise_levels():
    sigmas = ddpm_sigmas()
    levels = [float(sigmas[t0 - 1]) for t0 in (25, 50, 75, 100, 200, 300, 400)]
    assert levels == pytest.approx([0.092, 0.173, 0.255, 0.339, 0.719, 1.23, 2.03], abs=0.006)


@pytest.mark.parametrize("grid", [log_sigmas, sampling_sigmas])
@pytest.mark.parametrize("steps", [1, 2, 16])
def test_grids_fall_from_start_to_end_to_zero(grid, steps):
    sigmas = grid(5.0, 0.03, steps)
    assert len(sigmas) == steps + 1
    assert sigmas[0] == pytest.approx(5.0) and sigmas[-1] == 0
    assert all(a > b for a, b in zip(sigmas[:-1], sigmas[1:], strict=True))
    if steps > 1:
        assert sigmas[-2] == pytest.approx(0.03)


def test_gmres_solves_nonsymmetric_systems_per_image():
    generator = torch.Generator().manual_seed(0)
    matrices = torch.eye(12, dtype=torch.float64) + 0.3 * torch.randn(
        3, 12, 12, generator=generator, dtype=torch.float64
    )
    target = torch.randn(3, 12, generator=generator, dtype=torch.float64)
    x, relative = gmres(lambda v: (matrices @ v[:, :, None])[:, :, 0], target, 1e-10, 12)
    assert torch.allclose(x, torch.linalg.solve(matrices, target), atol=1e-8)
    assert (relative <= 1e-10).all()


def test_gmres_stops_image_by_image():
    """An easy system gets the same answer beside one that needs every product."""
    generator = torch.Generator().manual_seed(0)
    hard = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    easy = torch.eye(12, dtype=torch.float64) + 0.1 * hard
    target = torch.randn(2, 12, generator=generator, dtype=torch.float64)

    def solve(matrices, target):
        return gmres(lambda v: (matrices @ v[:, :, None])[:, :, 0], target, 0.1, 12)

    together, relative = solve(torch.stack([easy, hard]), target)
    alone, relative_alone = solve(easy[None], target[:1])
    assert torch.allclose(together[:1], alone, rtol=1e-12, atol=0)
    assert relative[0] == pytest.approx(float(relative_alone[0])) and 1e-4 < relative[0] <= 0.1
    residual = (hard @ together[1] - target[1]).norm() / target[1].norm()
    assert residual == pytest.approx(float(relative[1])) and residual <= 0.1


def test_gmres_leaves_zero_at_zero():
    x, relative = gmres(lambda v: 2 * v, torch.zeros(2, 5), 1e-3, 4)
    assert torch.equal(x, torch.zeros(2, 5)) and torch.equal(relative, torch.zeros(2))


@pytest.mark.parametrize("method", [Annealed(), Accelerated(), Paper(steps=7)], ids=["fast", "accurate", "paper"])
def test_the_callback_ends_on_the_total_and_can_stop_the_run(lab, method):
    seen = []
    start = lab.operator.initial_guess(lab.measurement)
    noise = Noise(0, range(4), 1)
    method(lab.problem, lab.prior, start, noise, lambda step, total, x: seen.append((step, total)))
    assert seen[-1][0] == seen[-1][1] == method.steps
    assert [step for step, _ in seen] == sorted({step for step, _ in seen})

    def stop(step, total, x):
        raise KeyboardInterrupt

    lab.prior.calls = 0
    with pytest.raises(KeyboardInterrupt):
        method(lab.problem, lab.prior, start, noise, stop)
    assert lab.prior.calls == 1
