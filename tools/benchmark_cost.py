"""What MAP-RPS costs beyond the model: time over the bare denoiser calls it makes, and peak memory, side by side.

    python -m tools.benchmark_cost                          # the embedded prior, 256 px
    python -m tools.benchmark_cost --model FILE --size 512 --device cuda
    python -m tools.benchmark_cost --latent --size 128 --methods fast proximal

Every line is a process of its own, in which the restoration and as many bare calls of the denoiser take turns; the
ratio is that of their medians. Memory is the peak of the restoration over the peak of one bare call: allocated on the
GPU, resident in the process on the CPU (Linux and macOS). The guidance terms that differentiate through the model do
more than call it; their ratio shows what their gradients cost. The tasks are those of study_estimators.py.

Launches and waits are those of one restoration outside the denoiser: what a GPU is asked to do, and what it is waited
for, counted alike on every device (dispatches.py). Backward passes count whole, the denoiser's with them.

Through the latent example (needs COMFYUI_PATH), what is bare is a decoding and two encodings with each call.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from maprps.models import load_embedded, load_pixel_network
from maprps.operators import model_units
from maprps.solvers.guidance import DDNM, DMPS, DPS, MMPS, Guidance, PiGDM, Proximal
from maprps.solvers.map_estimation import Annealed, Encoded
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import dpm_solver, renoised_posterior_sampling
from maprps.solvers.problem import Problem, per_image, silent
from maprps.solvers.schedules import sampling_sigmas

from .dispatches import Dispatches
from .study_estimators import task

STEPS = 16
GUIDANCE: dict[str, Guidance] = {
    "proximal": Proximal(),
    "proximal, isotropic": Proximal(0.25),
    "DMPS": DMPS(1.0),
    "DDNM+": DDNM(),
    "DPS": DPS(1.0),
    "PiGDM": PiGDM(),
    "MMPS": MMPS(),
}


class Counted:
    """A denoiser that counts its calls, and leaves what it does out of `dispatches`."""

    def __init__(self, denoise):
        self.denoise, self.calls, self.dispatches = denoise, 0, Dispatches()
        self.sigma_min, self.sigma_max = denoise.sigma_min, denoise.sigma_max

    def __call__(self, x, sigma):
        self.calls += 1
        with self.dispatches.paused():
            return self.denoise(x, sigma)


class Cost(NamedTuple):
    """Calls of the denoiser, seconds of the restoration, seconds of as many bare calls, MiB of its peak over that of
    one call, launches and waits."""

    calls: int
    ours: float
    bare: float
    memory: float
    launches: int
    waits: int


class Setting(NamedTuple):
    """A problem, its denoiser, where stage 1 begins, and what so many calls are compared with."""

    problem: Problem
    denoise: Counted
    start: Tensor
    bare: Callable[[int], None]


def in_pixels(problem: Problem, arguments: argparse.Namespace) -> Setting:
    network = load_pixel_network(arguments.model) if arguments.model else load_embedded()
    network.network.to(arguments.device)
    start = problem.operator.initial_guess(problem.measurement)
    level = per_image(1.0, start)

    def bare(calls: int) -> None:
        for _ in range(calls):
            network(start, level)

    return Setting(problem, Counted(network), start, bare)


def in_latents(problem: Problem, arguments: argparse.Namespace) -> Setting:
    from maprps.host.latent_example import load_latent_example
    from maprps.host.vae import HostVAE

    from .study_latent import Denoise

    model, autoencoder = load_latent_example()
    vae = HostVAE(autoencoder, model, (arguments.size, arguments.size))
    pixels = problem.operator.initial_guess(problem.measurement)
    denoise, start = Denoise(model), vae.encode(pixels)
    level = per_image(1.0, start)

    def bare(calls: int) -> None:
        for _ in range(calls):
            denoise(start, level)
            for z in vae.decode(start), pixels:
                vae.encode(z)

    return Setting(replace(problem, decoder=vae.decode, encoder=vae.encode), Counted(denoise), start, bare)


def measure(name: str, method: str, arguments: argparse.Namespace) -> Cost:
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    size = arguments.size
    truth = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    degradation, noise_std, _ = task(name, size)
    operator = degradation.build(3, size, size, device)
    measured = Problem(*model_units(operator, operator(truth), noise_std))
    problem, denoise, start, bare = (in_latents if arguments.latent else in_pixels)(measured, arguments)
    stage_1 = Encoded() if arguments.latent else Annealed(discrepancy=float("inf"))
    sigmas = sampling_sigmas(min(80.0, denoise.sigma_max), 0.03, STEPS)

    def restore() -> None:
        if method == "fast":
            stage_1(problem, denoise, start, Noise(0, [0], 1), silent)
        else:
            renoised_posterior_sampling(
                problem, denoise, GUIDANCE[method], dpm_solver, start, sigmas, Noise(0, [0], 2), silent
            )

    def timed(work) -> float:
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    with torch.no_grad():
        bare(1)
        before = peak(device)
        restore()
        memory = peak(device) - before
        calls = denoise.calls
        with denoise.dispatches as counted:  # the second time, when what is kept for later has been made
            restore()
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(timed(restore))
            theirs.append(timed(lambda: bare(calls)))
    return Cost(calls, statistics.median(ours), statistics.median(theirs), memory, counted.launches, counted.waits)


def peak(device: torch.device) -> float:
    """MiB; NaN where it cannot be told."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    if sys.platform == "win32":
        return math.nan
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a pixel model's file, in place of the embedded prior")
    parser.add_argument("--latent", action="store_true", help="through the latent example, on the host's device")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=["sr", "deblur", "inpainting", "denoising"])
    parser.add_argument("--methods", nargs="+", default=["fast", *GUIDANCE])
    arguments = parser.parse_args()
    print(f"{'task':10s} {'method':20s} calls   time   bare  ratio  memory over one call, MiB  launches  waits")
    for name in arguments.tasks:
        for method in arguments.methods:
            with get_context("spawn").Pool(1) as pool:
                cost = pool.apply(measure, (name, method, arguments))
            print(
                f"{name:10s} {method:20s} {cost.calls:5d} {cost.ours:6.2f} {cost.bare:6.2f} "
                f"{cost.ours / cost.bare:6.2f} {cost.memory:25.0f} {cost.launches:9d} {cost.waits:6d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
