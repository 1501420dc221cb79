"""From faithful to sharp: the whole curve of both stages beside published samplers, on the same denoiser and photos.

    python -m tools.benchmark_traversal --tasks sr inpainting            # prints tables
    python -m tools.benchmark_traversal --size 64 --rivals --paper --write docs/benchmarks.md
    python -m tools.benchmark_traversal --latent --size 128              # the latent example; needs COMFYUI_PATH

Ours are the nodes' defaults, stage 1 and samples at five re-noise levels, and in pixels the same by *MMPS*. --paper
adds the published scheme at the same levels, --rivals the samplers of deepinv and azula (rivals.py, the extra
`benchmark`), in pixels. Central crops of the photos of a folder, one batch; the tasks are those of study_estimators.py.
Calls are of the denoiser, forward and backward; seconds (of the processor, where there is no GPU) and memory are of the
run, all images together. --write puts the tables between the marks in a document.

Gradient distance: evaluation.quality. Sliced Wasserstein: mean distance between the sorted projections of a picture's
7x7 patches, less their means, and of its truth's, on 128 random unit vectors; times 1000. LPIPS and DISTS stand beside
them where the packages lpips and DISTS_pytorch are there with their weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from maprps.evaluation import gradient_distance, psnr, ssim
from maprps.models import load_embedded
from maprps.models.schedules import ddpm_sigmas, stable_diffusion_sigmas
from maprps.solvers.guidance import DPS, MMPS, Guidance, LatentDPS, Proximal
from maprps.solvers.map_estimation import SD15, Annealed, Encoded, Paper
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import ancestral, renoised_posterior_sampling, stochastic_adams
from maprps.solvers.problem import Denoiser, Problem, silent
from maprps.solvers.schedules import posterior_sigmas

from .peak_memory import peak, reset_peak
from .study_estimators import as_image, measured, photos, task

LEVELS = (0.05, 0.1, 0.2, 0.4, 1.0)
PATCH, DIRECTIONS = 7, 128
BEGIN, END = "<!-- benchmark_traversal: {} -->", "<!-- end -->"
PHOTOS = Path(__file__).parents[1] / "workflows" / "photos"

PAPER = Paper(learning_rate=0.05)
"""By the weight of Theorem 3.3, with the learning rate that is best here. The released weights are for a larger model:
on the embedded prior they end 9 dB (super-resolution) and 5 dB (inpainting) below."""
PIXEL_SCALES = {"deblurring": 2.0}
LATENT_SCALES = {"inpainting": 0.01, "super-resolution": 0.1, "deblurring": 0.1}
"""Of the published guidance, as the nodes advise them; 1 for the other tasks in pixels."""

Method = Callable[[Denoiser], Tensor]


class Counted:
    """A denoiser that counts calls forward, and passes back through them."""

    def __init__(self, denoise):
        self.denoise, self.forward, self.backward = denoise, 0, 0
        self.sigma_min, self.sigma_max = denoise.sigma_min, denoise.sigma_max

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.forward += 1
        denoised = self.denoise(x, sigma)
        if denoised.requires_grad:
            denoised.register_hook(self._passed)
        return denoised

    def _passed(self, gradient: Tensor) -> None:
        self.backward += 1


class Curve:
    """Both stages of one problem: the estimate, and samples from it at any level of a schedule of 1000."""

    def __init__(self, problem: Problem, start: Tensor, sigmas: Tensor, setting: str):
        self.problem, self.start, self.sigmas, self.setting = problem, start, sigmas, setting
        self.estimates: dict[str, Tensor] = {}

    def ours(self, denoise: Denoiser) -> Tensor:
        stage = Annealed() if self.problem.in_pixels else Encoded()
        return self._estimated("ours", stage, denoise)

    def paper(self, denoise: Denoiser) -> Tensor:
        return self._estimated("paper", PAPER if self.problem.in_pixels else SD15[self.setting], denoise)

    def our_sample(self, level: float, guidance: Guidance) -> Method:
        def sample(denoise: Denoiser) -> Tensor:
            sigmas = posterior_sigmas(self.problem, float(self.sigmas[round(level * 1000) - 1]), denoise.sigma_min)
            return self._sampled("ours", guidance, stochastic_adams, sigmas, denoise)

        return sample

    def paper_sample(self, level: float) -> Method:
        def sample(denoise: Denoiser) -> Tensor:
            sigmas = [float(sigma) for sigma in self.sigmas[: round(level * 1000)].flip(0)] + [0.0]
            if self.problem.in_pixels:
                guidance: Guidance = DPS(PIXEL_SCALES.get(self.setting, 1.0))
            else:
                guidance = LatentDPS(LATENT_SCALES[self.setting])
            return self._sampled("paper", guidance, ancestral, sigmas, denoise)

        return sample

    def _estimated(self, whose: str, stage, denoise: Denoiser) -> Tensor:
        noise = Noise(1, range(len(self.start)), 1)
        self.estimates[whose] = stage(self.problem, denoise, self.start, noise, silent).image
        return self.estimates[whose]

    def _sampled(self, whose: str, guidance, sampler, sigmas: list[float], denoise: Denoiser) -> Tensor:
        noise = Noise(2, range(len(self.start)), 2)
        estimate = self.estimates[whose]
        return renoised_posterior_sampling(self.problem, denoise, guidance, sampler, estimate, sigmas, noise, silent)


def methods(curve: Curve, paper: bool, rivals: bool) -> Iterator[tuple[str, Method]]:
    yield "MAP, *fast*", curve.ours
    for level in LEVELS:
        yield f"sample, `renoise` {level:g}", curve.our_sample(level, Proximal())
    if curve.problem.in_pixels:
        for level in LEVELS:
            yield f"sample by *MMPS*, {level:g}", curve.our_sample(level, MMPS())
    if paper and (curve.problem.in_pixels or curve.setting in SD15):
        yield "published stage 1", curve.paper
        for level in LEVELS:
            yield f"published stage 2, {level:g}", curve.paper_sample(level)
    if rivals:
        from .rivals import rivals as samplers

        yield from samplers(curve.problem).items()


def sliced_wasserstein(image: Tensor, reference: Tensor) -> Tensor:
    """Of IMAGE [B, H, W, C] each, [B]."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(PATCH**2 * image.shape[-1], DIRECTIONS, generator=generator)
    directions = directions - directions.mean(0)
    directions = directions / directions.norm(dim=0)

    def projected(picture: Tensor) -> Tensor:
        patches = torch.nn.functional.unfold(picture.movedim(-1, 1), PATCH)
        return (directions.T @ patches).sort(-1).values

    return 1000 * (projected(image) - projected(reference)).abs().mean((1, 2))


def perceptual() -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """LPIPS and DISTS of IMAGE [B, H, W, C], as far as they can be had here."""
    found: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}

    def channels_first(image: Tensor) -> Tensor:
        return image.movedim(-1, 1).clamp(0, 1)

    try:
        import lpips

        network = lpips.LPIPS(net="alex", verbose=False)
        found["LPIPS"] = lambda a, b: network(2 * channels_first(a) - 1, 2 * channels_first(b) - 1).flatten()
    except (ImportError, OSError):
        pass
    try:
        from DISTS_pytorch import DISTS

        dists = DISTS()
        found["DISTS"] = lambda a, b: dists(channels_first(a), channels_first(b))
    except (ImportError, OSError):
        pass
    return found


def table(curve: Curve, truth: Tensor, denoise, arguments: argparse.Namespace) -> list[str]:
    """A table's rows, printed as they come."""
    reference, extra = as_image(truth), perceptual()
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    titles = ["", "PSNR", "SSIM", "Gradient distance", "Sliced Wasserstein", *extra, "Residual / noise"]
    titles += ["Calls forward + backward", "Seconds", "MiB"]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    print(*rows, sep="\n", flush=True)
    for name, method in methods(curve, arguments.paper, arguments.rivals and not arguments.latent):
        torch.manual_seed(0)  # the rivals draw from torch's own stream
        counted = Counted(denoise)
        resident, began = reset_peak(), clock()
        x = method(counted)
        seconds, memory = clock() - began, peak() - resident
        image = as_image(curve.problem.decoder(x))
        values = [
            f"{float(psnr(image, reference).mean()):.2f}",
            f"{float(ssim(image, reference).mean()):.3f}",
            f"{float(gradient_distance(image, reference).mean()):.4f}",
            f"{float(sliced_wasserstein(image, reference).mean()):.1f}",
            *(f"{float(measure(image, reference).mean()):.3f}" for measure in extra.values()),
            f"{float(curve.problem.relative_residual(x).mean()):.2f}",
            f"{counted.forward} + {counted.backward}",
            f"{seconds:.1f}",
            f"{memory:.0f}",
        ]
        rows.append(f"| {name} | {' | '.join(values)} |")
        print(rows[-1], flush=True)
    return rows


def curve_of(name: str, truth: Tensor, vae) -> Curve:
    problem, setting = measured(name, truth), task(name, truth.shape[-1])[2]
    start = problem.operator.initial_guess(problem.measurement)
    if vae is None:
        return Curve(problem, start, ddpm_sigmas(), setting)
    problem = replace(problem, decoder=vae.decode, encoder=vae.encode)
    return Curve(problem, vae.encode(start), stable_diffusion_sigmas(), setting)


def written(document: str, mark: str, tables: str) -> str:
    """The document with the tables in the place of what stands between the marks. Raises ValueError where there are
    none."""
    begin = BEGIN.format(mark)
    if begin not in document:
        raise ValueError(f"The document has no place for these tables: add the lines {begin} and {END}.")
    before, after = document.split(begin)
    return f"{before}{begin}\n\n{tables}\n\n{END}{after.split(END, 1)[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=PHOTOS)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, help="photos, the first of the folder; all by default")
    parser.add_argument("--tasks", nargs="+", default=["sr", "deblur", "inpainting", "denoising"])
    parser.add_argument("--latent", action="store_true")
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--write", type=Path, help="a document with the marks")
    arguments = parser.parse_args()
    truth = photos(arguments.images, arguments.size)[: arguments.count]
    denoise, vae = loaded(*truth.shape[-2:]) if arguments.latent else (load_embedded(), None)
    sections = []
    with torch.no_grad():
        for name in arguments.tasks:
            print(f"\n{name}\n", flush=True)
            curve = curve_of(name, truth, vae)
            rows = table(curve, truth, denoise, arguments)
            sections.append("\n".join([f"### {curve.setting.capitalize()}", "", *rows]))
            if arguments.write:
                mark = "latent" if arguments.latent else "pixels"
                text = written(arguments.write.read_text(), mark, "\n\n".join(sections))
                arguments.write.write_text(text)


def loaded(height: int, width: int):
    """The latent example's denoiser and VAE."""
    from maprps.host.latent_example import load_latent_example
    from maprps.host.vae import HostVAE

    from .study_latent import Denoise

    model, vae = load_latent_example()
    return Denoise(model), HostVAE(vae, model, (height, width))


if __name__ == "__main__":
    main()
