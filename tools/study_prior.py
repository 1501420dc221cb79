"""Stage 2 against truths drawn from the prior itself: what tells an error of the sampler from one of the prior.

    python -m tools.study_prior --truths FILE --tasks sr deblur inpainting denoising

A truth that the prior drew and a right posterior sample have the same law given the measurement. So, whatever the
prior: a sample has twice the squared error of the mean of infinitely many, which is 3.01 dB; the samples' variance
around that mean is its squared error; and a sample's residual is the truth's own, 1 in units of the noise. Prints
these for the default settings at renoise 1, with the mean's error taken from K samples without the bias of a finite K.
Most of the error is in the few truths that have texture, so few truths tell the ratio roughly.
The truths are drawn in 128 steps and kept in FILE. Noise std 0.025 (denoising: 0.1) on the 0..1 scale.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from maprps.models import load_embedded, load_pixel_network
from maprps.solvers.guidance import Guided, Proximal
from maprps.solvers.map_estimation import Annealed
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import renoised_posterior_sampling, stochastic_adams
from maprps.solvers.problem import Problem, per_image, silent
from maprps.solvers.schedules import posterior_sigmas, sampling_sigmas

from .study_estimators import measured

TRUTH_STEPS = 128

Draw = Callable[[Problem, Tensor, Noise], Tensor]
"""draw(problem, estimate, noise): one posterior sample for each measurement of the problem."""


class Report(NamedTuple):
    """one, mean: PSNR in dB of a sample and of the mean of infinitely many; ratio: the samples' variance over that
    mean's squared error; residual: of a sample, in units of the noise."""

    one: float
    mean: float
    ratio: float
    residual: float

    def __str__(self) -> str:
        return (
            f"one {self.one:6.2f}  mean {self.mean:6.2f}  gap {self.mean - self.one:5.2f} dB  "
            f"spread/MSE {self.ratio:5.2f}  residual {self.residual:5.3f}"
        )


def drawn_truths(denoise, count: int, size: int) -> Tensor:
    """Unconditional samples of the prior, [count, 3, size, size]."""

    def plain(x: Tensor, sigma: float, next_sigma: float) -> Guided:
        return Guided(denoise(x, per_image(sigma, x)))

    noise = Noise(0, range(count), 0)
    sigmas = sampling_sigmas(denoise.sigma_max, max(denoise.sigma_min, 0.005), TRUTH_STEPS)
    return stochastic_adams(plain, sigmas[0] * noise.like(torch.empty(count, 3, size, size)), sigmas, noise, silent)


def judge(problem: Problem, truth: Tensor, estimate: Tensor, samples: int, draw: Draw) -> Report:
    """Draws `samples` for each truth, from its estimate."""
    copies = Problem(problem.operator, problem.measurement.repeat_interleave(samples, 0), problem.noise_std)
    noise = Noise(2, range(len(truth) * samples), 2)
    x = draw(copies, estimate.repeat_interleave(samples, 0), noise)
    residual = float(copies.relative_residual(x).square().mean().sqrt())
    drawn = x.view(len(truth), samples, *truth.shape[1:])
    error = float((drawn - truth[:, None]).square().mean())
    spread = float(drawn.var(1).mean())
    return Report(decibel(error), decibel(error - spread), spread / (error - spread), residual)


def decibel(mse: float) -> float:
    """PSNR of a mean squared error in model units."""
    return -10 * math.log10(mse / 4)


def default_draw(denoise) -> Draw:
    """The nodes' own at renoise 1."""

    def draw(problem: Problem, estimate: Tensor, noise: Noise) -> Tensor:
        sigmas = posterior_sigmas(problem, denoise.sigma_max, denoise.sigma_min)
        return renoised_posterior_sampling(
            problem, denoise, Proximal(), stochastic_adams, estimate, sigmas, noise, silent
        )

    return draw


def study(name: str, denoise, truth: Tensor, samples: int) -> Report:
    problem = measured(name, truth, seed=1)
    start = problem.operator.initial_guess(problem.measurement)
    estimate = Annealed()(problem, denoise, start, Noise(1, range(len(truth)), 1), silent).image
    return judge(problem, truth, estimate, samples, default_draw(denoise))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truths", type=Path, required=True, help="where the truths are kept; drawn if there is none")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--tasks", nargs="+", default=["sr", "deblur", "inpainting", "denoising"])
    parser.add_argument("--prior", type=Path, help="a pixel model's file, in place of the embedded prior")
    arguments = parser.parse_args()
    denoise = load_pixel_network(arguments.prior) if arguments.prior else load_embedded()
    with torch.no_grad():
        if not arguments.truths.exists():
            torch.save(drawn_truths(denoise, arguments.count, arguments.size), arguments.truths)
        truth = torch.load(arguments.truths, weights_only=True)
        for name in arguments.tasks:
            print(f"{name:11s}", study(name, denoise, truth, arguments.samples), flush=True)


if __name__ == "__main__":
    main()
