"""Stage 2 against the exact distortion-perception curve of a Gaussian prior, 64 x 64 px, at five renoise levels."""

import math
from typing import NamedTuple

import pytest
import torch
from labs.draws import Draws
from labs.gaussian import PowerLawPrior
from labs.stationary import StationaryLab

from maprps.models.schedules import ddpm_sigmas
from maprps.operators.blur import GaussianBlur
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import MMPS, Proximal
from maprps.solvers.posterior_sampling import renoised_posterior_sampling, stochastic_adams
from maprps.solvers.problem import silent
from maprps.solvers.schedules import sampling_sigmas

END = 0.0292  # the lowest noise level of the discrete schedule that hosts use
PAIRS = 8
LEVELS = (0.025, 0.05, 0.1, 0.2, 1.0)


class Antithetic(Draws):
    """An image's draws come in pairs of opposite sign: the mean of a sampler that is linear in its noise is exact."""

    def __init__(self, images: int):
        self.generator = torch.Generator().manual_seed(1)
        self.images = images

    def like(self, x):
        half = torch.randn(self.images, PAIRS, *x.shape[1:], generator=self.generator)
        return torch.stack([half, -half], 1).flatten(0, 2)


class Law(NamedTuple):
    """bias: |E x - m| / |m|, the largest of all images; measured, null: variance over the exact one's, less what the
    last step's mean must lose; mse, wasserstein: of the samples; sigma: noise level they were renoised to."""

    bias: float
    measured: float
    null: float
    mse: float
    wasserstein: float
    sigma: float


def sampled_law(lab: StationaryLab, guidance, renoise: float, steps: int) -> Law:
    sigma = float(ddpm_sigmas()[round(renoise * 1000) - 1])
    x = renoised_posterior_sampling(
        lab.repeated(2 * PAIRS),
        lab.prior,
        guidance,
        stochastic_adams,
        lab.map.float().repeat_interleave(2 * PAIRS, 0),
        sampling_sigmas(sigma, END, steps),
        Antithetic(lab.count),
        silent,
    )
    offset = x.double().view(lab.count, 2, PAIRS, *lab.map.shape[1:]) - lab.map[:, None, None]
    means = offset.mean(1)
    bias = means.mean(1)
    deviation = ((offset[:, 0] - offset[:, 1]) / 2).flatten(0, 1)

    expected = lab.drawn(sigma, END)
    expected_measured = lab.measured_part(expected)
    measured = float(lab.measured_energy(deviation).mean())
    total = float(deviation.square().flatten(1).sum(1).mean())
    return Law(
        float((bias.flatten(1).norm(dim=1) / lab.map.flatten(1).norm(dim=1)).max()),
        measured / expected_measured,
        (total - measured) / (float(expected.sum()) - expected_measured),
        lab.least_mse + float(offset.square().flatten(3).sum(3).mean()),
        lab.wasserstein(smoothed(lab.mode_energy(deviation), lab.drawn(sigma), lab.modes[0])),
        sigma,
    )


def smoothed(energy, exact, variance):
    """The exact variances times the measured ratio to them, which is averaged over modes of like posterior variance."""
    octave = variance.clamp_min(1e-9).log2().floor().long()
    octave = (octave - octave.min()).flatten()
    sums = torch.zeros(2, int(octave.max()) + 1, dtype=torch.float64)
    sums[0].index_add_(0, octave, energy.flatten())
    sums[1].index_add_(0, octave, exact.flatten())
    return exact * (sums[0] / sums[1])[octave].view_as(exact)


@pytest.fixture(scope="module", params=["super-resolution", "deblurring"])
def lab(request):
    degradation, factor = {
        "super-resolution": (SuperResolution(4, "box"), 4),
        "deblurring": (GaussianBlur(13, 2.0, "circular"), 1),
    }[request.param]
    return StationaryLab(PowerLawPrior(64), degradation, noise_std=0.05, count=3, factor=factor)


CASES = [(Proximal(), 0, level) for level in LEVELS]
CASES += [(MMPS(), 32, 0.1), pytest.param(MMPS(), 32, 1.0, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("guidance", "steps", "renoise"), CASES)
def test_the_curve(lab, guidance, steps, renoise):
    law = sampled_law(lab, guidance, renoise, steps)
    assert law.bias <= 0.02
    assert law.measured == pytest.approx(1, abs=0.06)
    assert law.null == pytest.approx(1, abs=0.06)
    assert law.mse == pytest.approx(lab.least_mse + float(lab.drawn(law.sigma).sum()), rel=0.03)
    # W2 to the prior falls from that of the estimate towards 0, where only what the last step loses is left
    exact = lab.wasserstein(lab.drawn(law.sigma, END))
    scale = exact if renoise <= 0.1 else lab.wasserstein(torch.zeros_like(lab.modes[0]))
    assert abs(law.wasserstein - exact) <= 0.03 * scale


def test_plain_posterior_sampling_has_twice_the_least_mse(lab):
    assert lab.least_mse + float(lab.drawn(157.0).sum()) == pytest.approx(2 * lab.least_mse, rel=1e-3)
    assert lab.wasserstein(lab.drawn(math.inf)) <= 1e-4 * lab.wasserstein(torch.zeros_like(lab.modes[0]))
