"""Stage 1 and stage 2 on the latent example and held-out photos: every scheme side by side, in one run.

    python -m tools.study_latent --images DIR --size 96 --tasks sr deblur inpainting denoising --parts fast stage2

Prints, per task, PSNR, sharpness, residual and the number of decodings, with and without a gradient. Needs
COMFYUI_PATH. Central crops, one batch; noise std as in study_estimators.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from maprps.evaluation import psnr, sharpness
from maprps.host.latent_example import load_latent_example
from maprps.host.vae import HostVAE
from maprps.models.schedules import stable_diffusion_sigmas
from maprps.solvers import proximal as proximal_module
from maprps.solvers.guidance import DCDP, DPS, LDIR, PSLD, Guidance, LatentDPS, Proximal
from maprps.solvers.map_estimation import FFHQ_LDM, SD15, Annealed, Encoded, Paper
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import ancestral, dpm_solver, renoised_posterior_sampling
from maprps.solvers.problem import silent
from maprps.solvers.proximal import proximal
from maprps.solvers.schedules import sampling_sigmas

from .study_estimators import as_image, measured, photos, task

SAMPLES = 16
LEVELS = (0.1, 0.2, 0.4, 1.0)
PARTS = ("fast", "encoding", "stage2", "every step", "paper", "mean")
FAST = {
    "as it is": Annealed(),
    "16 steps": Annealed(16),
    "to 0.1": Annealed(sigma_end=0.1),
    "no momentum": Annealed(momentum=0.0),
    "stopped at 1.05": Annealed(discrepancy=1.05),
    "not stopped": Annealed(discrepancy=float("inf")),
}

ENCODED = {
    "as it is": Encoded(),
    "never refined": Encoded(refined_from=0.0),
    "refined from 1": Encoded(refined_from=1.0),
    "16 steps": Encoded(16),
    "to 0.1": Encoded(sigma_end=0.1),
}


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


class Denoise:
    def __init__(self, model):
        self.model, self.calls = model.model, 0
        self.sigma_min, self.sigma_max = 0.03, 14.6

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls += 1
        return self.model.apply_model(x, sigma)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--tasks", nargs="+", default=["sr", "deblur", "inpainting", "denoising"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    model, vae = load_latent_example()
    truth = photos(arguments.images, arguments.size)
    height, width = truth.shape[-2:]
    host_vae = HostVAE(vae, model, (height, width))
    with torch.no_grad():
        for name in arguments.tasks:
            study(name, Denoise(model), host_vae, truth, arguments.parts)


def study(name: str, denoise: Denoise, vae: HostVAE, truth: Tensor, parts: list[str]) -> None:
    settings, decoder = task(name, truth.shape[-1])[2], Counted(vae.decode)
    problem = replace(measured(name, truth), decoder=decoder, encoder=vae.encode)
    count = list(range(len(truth)))
    guess = problem.operator.initial_guess(problem.measurement)
    start = vae.encode(guess)
    reference = as_image(truth)

    def show(label: str, z: Tensor) -> None:
        decodings, calls = decoder.calls, denoise.calls
        x = vae.decode(z)
        image = as_image(x)
        print(
            f"{name:11s} {label:38s} calls {calls:4d} decodings {decodings:5d} "
            f"PSNR {float(psnr(image, reference).mean()):6.2f} sharp {float(sharpness(image).mean()):.4f} "
            f"residual {float(problem.relative_residual(z).mean()):.3f}",
            flush=True,
        )
        decoder.calls = denoise.calls = 0

    def noise() -> Noise:
        return Noise(1, count, 1)

    print(f"{name:11s} initial guess, not encoded: PSNR {float(psnr(as_image(guess), reference).mean()):.2f}")
    show("truth, encoded and decoded", vae.encode(truth))
    show("start", start)
    if "fast" in parts:
        show("least squares from the start", proximal(problem, start, 1e4, start))
        for label, method in FAST.items():
            show(f"fast, {label}", method(problem, denoise, start, noise(), silent).image)
        for factor in (2, 4):
            looser = replace(problem, noise_std=factor * problem.noise_std)
            show(f"fast, noise taken {factor} times", Annealed()(looser, denoise, start, noise(), silent).image)
        usual = proximal_module.DECODER_EVALUATIONS
        for evaluations in (3, 12, 30):
            proximal_module.DECODER_EVALUATIONS = evaluations
            show(f"fast, {evaluations} evaluations", Annealed()(problem, denoise, start, noise(), silent).image)
        proximal_module.DECODER_EVALUATIONS = usual
    if "encoding" in parts:
        for label, scheme in ENCODED.items():
            show(f"by encoding, {label}", scheme(problem, denoise, start, noise(), silent).image)
    levels = stable_diffusion_sigmas()
    if "paper" in parts:
        papers = {"w*, lr 0.1": Paper(300, sigma=float(levels[50]), learning_rate=0.1)}
        papers |= {
            f"{kind} settings": table[settings]
            for kind, table in (("SD1.5", SD15), ("FFHQ-LDM", FFHQ_LDM))
            if settings in table
        }
        for label, paper in papers.items():
            show(f"paper, {label}", paper(problem, denoise, start, noise(), silent).image)

    if not {"stage2", "every step", "mean"} & set(parts):
        return
    estimate = Annealed()(problem, denoise, start, noise(), silent).image
    decoder.calls = denoise.calls = 0
    terms: dict[str, Guidance]
    if "stage2" in parts:
        terms = {"proximal": Proximal(), "proximal, c = 1": Proximal(1.0), "DCDP": DCDP()}
        for label, term in terms.items():
            for level in LEVELS:
                sigmas = sampling_sigmas(float(levels[round(level * 1000) - 1]), 0.03, 16)
                z = renoised_posterior_sampling(
                    problem, denoise, term, dpm_solver, estimate, sigmas, Noise(2, count, 2), silent
                )
                show(f"renoise {level}, {label}", z)
    if "every step" in parts:
        sigmas = [float(v) for v in levels[:200].flip(0)] + [0.0]
        terms = {"latent DPS": LatentDPS(0.1), "DPS": DPS(0.1), "PSLD": PSLD(0.1), "LDIR": LDIR(0.1)}
        for label, term in terms.items():
            with torch.enable_grad():
                z = renoised_posterior_sampling(
                    problem, denoise, term, ancestral, estimate, sigmas, Noise(2, count, 2), silent
                )
            show(f"renoise 0.2, every step, {label}", z.detach())
    if "mean" in parts:
        mean = torch.zeros_like(truth)
        sigmas = sampling_sigmas(float(levels[-1]), 0.03, 16)
        for k in range(SAMPLES):
            mean += (
                vae.decode(
                    renoised_posterior_sampling(
                        problem, denoise, Proximal(), dpm_solver, estimate, sigmas, Noise(3 + k, count, 2), silent
                    )
                )
                / SAMPLES
            )
        print(
            f"{name:11s} mean of {SAMPLES} samples, in pixels: PSNR {float(psnr(as_image(mean), reference).mean()):.2f}"
        )


if __name__ == "__main__":
    main()
