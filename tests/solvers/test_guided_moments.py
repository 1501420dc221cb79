"""DPS, PiGDM and DMPS on a Gaussian prior: biased posteriors, whose own means and variances are known.

With prior, blur and noise diagonal in the Fourier basis, the guided denoiser is D = g x + h on every mode, and the
reverse SDE from x = m + sigma* eps,

    dx = 2 (D - x) dt + sqrt(2) sigma dW,      t = -log sigma,

has a mean and a variance that obey  E' = 2 (g - 1) E + 2 h,  V' = 4 (g - 1) V + 2 sigma^2.
"""

import math

import pytest
import torch
from labs.draws import Draws
from labs.gaussian import PowerLawPrior
from labs.stationary import StationaryLab

from maprps.operators.blur import GaussianBlur
from maprps.solvers.guidance import DMPS, DPS, PiGDM
from maprps.solvers.posterior_sampling import ancestral, renoised_posterior_sampling
from maprps.solvers.problem import Problem, silent
from maprps.solvers.schedules import log_sigmas

START, END, STEPS = 1.5, 0.05, 400


@pytest.fixture(scope="module")
def lab():
    return StationaryLab(PowerLawPrior(8, pixel_variance=0.1), GaussianBlur(5, 1.0, "circular"), noise_std=0.3, count=1)


def gain(c, a2, s2, q, guidance):
    """g, and h over conj(a) times the mode of the measurement, for prior variance c, |a|^2 and noise levels s^2, q."""
    shrink = c / (c + q)
    if isinstance(guidance, DPS):
        weight = q / s2 * shrink
        return shrink - weight * a2 * shrink, weight
    if isinstance(guidance, PiGDM):
        weight = q * shrink / (s2 + q / (1 + q) * a2)
        return shrink - weight * a2 * shrink, weight
    weight = q / (s2 + q * a2)
    return shrink - weight * a2, weight


def exact_law(lab, guidance):
    """Mean and variance of every mode, by the fourth-order Runge-Kutta method in log sigma."""
    c, a = lab.power[:, 0], lab.rows[:, 0]
    a2, s2 = a.abs().square(), lab.noise_std**2
    y = torch.fft.fft2(lab.measurement.double() - lab.prior.mean, norm="ortho").flatten()  # the blur keeps the mean
    mean, variance = lab.groups(lab.map - lab.prior.mean)[0, :, 0], torch.full_like(c, START**2)

    def slope(t, mean, variance):
        q = math.exp(-2 * t)
        g, weight = gain(c, a2, s2, q, guidance)
        return 2 * (g - 1) * mean + 2 * weight * a.conj() * y, 4 * (g - 1) * variance + 2 * q

    count = 2000
    t, dt = -math.log(START), math.log(START / END) / count
    for _ in range(count):
        k1 = slope(t, mean, variance)
        k2 = slope(t + dt / 2, mean + dt / 2 * k1[0], variance + dt / 2 * k1[1])
        k3 = slope(t + dt / 2, mean + dt / 2 * k2[0], variance + dt / 2 * k2[1])
        k4 = slope(t + dt, mean + dt * k3[0], variance + dt * k3[1])
        mean = mean + dt / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        variance = variance + dt / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        t += dt
    g, weight = gain(c, a2, s2, END**2, guidance)
    return g * mean + weight * a.conj() * y, g**2 * variance


class OneImpulseEach(Draws):
    """The k-th draw is a single pixel of 1 in image k and 0 in all others: its spectrum is flat."""

    def __init__(self):
        self.drawn = 0

    def like(self, x):
        draw = torch.zeros_like(x)
        draw[self.drawn, :, 0, 0] = x.shape[-1]
        self.drawn += 1
        return draw


@pytest.mark.parametrize("guidance", [DPS(scale=None), PiGDM(), DMPS()], ids=["DPS", "PiGDM", "DMPS"])
def test_moments(lab, guidance):
    """The sampler is affine in its draws: the answers to one draw each, over a run without draws, add up to the law."""
    images = STEPS + 1  # one for each draw, the last without
    problem = Problem(lab.operator, lab.measurement.expand(images, -1, -1, -1), lab.noise_std)
    result = renoised_posterior_sampling(
        problem,
        lab.prior,
        guidance,
        ancestral,
        lab.map.float().expand(images, -1, -1, -1),
        log_sigmas(START, END, STEPS),
        OneImpulseEach(),
        silent,
    )
    modes = lab.groups(result - lab.prior.mean)[:, :, 0]
    mean = modes[-1]
    variance = (modes[:-1] - mean).abs().square().sum(0)
    exact_mean, exact_variance = exact_law(lab, guidance)
    assert (mean - exact_mean).norm() <= 0.002 * exact_mean.norm()
    assert (variance / exact_variance - 1).abs().max() <= 0.015
