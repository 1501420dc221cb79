"""Stage 1 and stage 2 on the embedded prior and held-out photos: every scheme side by side, in one run.

    python -m tools.study_estimators --images DIR --size 96 --tasks sr deblur inpainting denoising

Prints, per task, the PSNR of the start, of classical baselines, of each estimator of the MAP at several numbers of
calls, of the mean of many posterior samples, and the walk along the re-noise level. Central crops, one batch; noise std
0.025 (denoising: 0.1) on the 0..1 scale.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from maprps.evaluation import gradient_distance, psnr, sharpness
from maprps.models import load_embedded, load_pixel_network
from maprps.models.schedules import ddpm_sigmas
from maprps.operators import model_units
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import Proximal
from maprps.solvers.map_estimation import PIXEL, Accelerated, Annealed, Paper
from maprps.solvers.map_estimation.annealed import fixed_point_step
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import ancestral, renoised_posterior_sampling, stochastic_adams
from maprps.solvers.problem import Problem, per_image, silent
from maprps.solvers.proximal import proximal
from maprps.solvers.schedules import log_sigmas, posterior_sigmas

SAMPLES = 32
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.4, 1.0)


def task(name: str, size: int):
    """Degradation, noise std, and the settings' name in the paper's table."""
    random_mask = np.random.default_rng(0).random((size, size)) < 0.5
    return {
        "sr": (SuperResolution(4, "bicubic"), 0.025, "super-resolution"),
        "deblur": (GaussianBlur(61, 2.0), 0.025, "deblurring"),
        "inpainting": (Inpainting.from_mask(random_mask), 0.025, "inpainting"),
        "denoising": (Denoising(), 0.1, "denoising"),
    }[name]


def measured(name: str, truth: Tensor, seed: int = 0) -> Problem:
    """The truths, [B, 3, H, W] in model units, through a task."""
    degradation, noise_std, _ = task(name, truth.shape[-1])
    operator = degradation.build(*truth.shape[1:])
    clean = operator((truth + 1) / 2)
    noise = Noise(seed, range(len(truth)), 0).like(clean)
    return Problem(*model_units(operator, operator.keep(clean + noise_std * noise), noise_std))


def photos(folder: Path, size: int) -> Tensor:
    crops = []
    for path in sorted(set(folder.glob("*.png")) - set(folder.glob("*_holes.png"))):
        image = Image.open(path).convert("RGB")
        left, top = (image.width - size) // 2, (image.height - size) // 2
        crops.append(np.asarray(image.crop((left, top, left + size, top + size))))
    return torch.from_numpy(np.stack(crops)).movedim(-1, 1).float() / 127.5 - 1


def mean_tracking(problem: Problem, denoise, start: Tensor, steps: int) -> Tensor:
    """Deterministic DDIM of the guided denoiser from the start, un-noised, at sigma 1."""
    x, guided = start, Proximal()(problem, denoise)
    sigmas = log_sigmas(1.0, 0.05, steps)
    for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
        denoised = guided(x, sigma, following).denoised
        x = denoised + (x - denoised) * following / sigma
    return x


def noisy_annealing(problem: Problem, denoise, start: Tensor, noise: Noise, steps: int) -> Tensor:
    """The annealed map with fresh noise before each denoising."""
    x = start
    for sigma in log_sigmas(1.0, 0.05, steps)[:-1]:
        x = proximal(problem, denoise(x + sigma * noise.like(x), per_image(sigma, x)), sigma**2)
    return x


def averaged(problem: Problem, denoise, start: Tensor, noise: Noise, sigma: float) -> Tensor:
    """Ten calls of the annealed map, then the running mean of the noisy map at one sigma, 30 calls."""
    x = start
    for level in log_sigmas(1.0, 0.05, 10)[:-1]:
        x = fixed_point_step(problem, denoise, x, level)
    for i in range(30):
        step = proximal(problem, denoise(x + sigma * noise.like(x), per_image(sigma, x)), sigma**2)
        x = x + (step - x) / (i + 1) if i else step
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--tasks", nargs="+", default=["sr", "deblur", "inpainting", "denoising"])
    parser.add_argument("--prior", type=Path, help="a pixel model's file, in place of the embedded prior")
    parser.add_argument("--quick", action="store_true", help="leave out the paper's settings and the many samples")
    arguments = parser.parse_args()
    denoise = load_pixel_network(arguments.prior) if arguments.prior else load_embedded()
    truth = photos(arguments.images, arguments.size)
    with torch.inference_mode(False), torch.no_grad():
        for name in arguments.tasks:
            study(name, denoise, truth, arguments.quick)


def study(name: str, denoise, truth: Tensor, quick: bool) -> None:
    settings, problem = task(name, truth.shape[-1])[2], measured(name, truth)
    operator, y, s = problem.linear_operator, problem.measurement, problem.noise_std
    count = range(len(truth))
    start = operator.initial_guess(y)
    reference = as_image(truth)

    def noise() -> Noise:
        return Noise(1, list(count), 1)

    def show(label: str, x: Tensor, calls: int | str = "") -> None:
        image = as_image(x)
        print(
            f"{name:11s} {label:34s} {calls!s:>5} PSNR {float(psnr(image, reference).mean()):6.2f} "
            f"sharp {float(sharpness(image).mean()):.4f} gdist {float(gradient_distance(image, reference).mean()):.4f} "
            f"residual {float(problem.relative_residual(x).mean()):.3f}",
            flush=True,
        )

    show("truth", truth)
    show("start", start)
    weights = operator.solve(y, s**2, 0.25)
    show("Tikhonov", 0.25 * operator.adjoint(weights))
    for steps in (6, Annealed.steps, 12, 20):
        result = Annealed(steps)(problem, denoise, start, noise(), silent)
        show("fast", result.image, result.calls)
    for end in (0.03, 0.05, 0.1):
        for steps in (5, 10, 20, 40):
            plain = Annealed(steps, sigma_end=end, momentum=0.0, discrepancy=float("inf"))
            show(f"annealed to {end}", plain(problem, denoise, start, noise(), silent).image, steps)
    for steps in (10, 20):
        show("mean tracking", mean_tracking(problem, denoise, start, steps), steps)
    show("annealed with noise", noisy_annealing(problem, denoise, start, noise(), 20), 20)
    for sigma in (0.1, 0.2):
        show(f"annealed + averaged at {sigma}", averaged(problem, denoise, start, noise(), sigma), 40)
    for end in (0.05, 0.1):
        result = Accelerated(20, 10, 1.0, end)(problem, denoise, start, noise(), silent)
        show(f"annealed + Anderson at {end}", result.image, result.calls)

    estimate = Annealed()(problem, denoise, start, noise(), silent).image
    levels = ddpm_sigmas()

    def sampled(level: float, seed: int) -> tuple[Tensor, int]:
        """A sample by the nodes' defaults, and the number of calls."""
        sigmas = posterior_sigmas(problem, float(levels[round(level * 1000) - 1]), denoise.sigma_min)
        draws = Noise(seed, list(count), 2)
        x = renoised_posterior_sampling(problem, denoise, Proximal(), stochastic_adams, estimate, sigmas, draws, silent)
        return x, len(sigmas) - 1

    for level in LEVELS:
        show(f"renoise {level}", *sampled(level, 2))
    if quick:
        return

    mean, calls = torch.zeros_like(truth), 0
    for k in range(SAMPLES):
        x, calls = sampled(1.0, 3 + k)
        mean += x / SAMPLES
        if k == 0:
            show("one posterior sample", x, calls)
    show(f"mean of {SAMPLES} posterior samples", mean, calls * SAMPLES)
    paper = PIXEL[settings]
    show("paper, released settings", paper(problem, denoise, start, noise(), silent).image, paper.steps)
    for rate in (0.5, 0.05):
        result = Paper(300, learning_rate=rate)(problem, denoise, start, noise(), silent)
        show(f"paper, w*, lr {rate}", result.image, 300)
    for level in (0.05, 0.2):
        sigmas = [float(v) for v in levels[: round(level * 1000)].flip(0)] + [0.0]
        began = time.time()
        x = renoised_posterior_sampling(
            problem, denoise, Proximal(), ancestral, estimate, sigmas, Noise(2, list(count), 2), silent
        )
        show(f"renoise {level}, every step ({time.time() - began:.0f} s)", x, len(sigmas) - 1)


def as_image(x: Tensor) -> Tensor:
    return (x.movedim(1, -1) + 1) / 2


if __name__ == "__main__":
    main()
