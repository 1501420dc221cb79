"""Peak memory of the latent modes over that of plain sampling at the same size, side by side.

    python -m tools.make_random_checkpoint sd15 sd15.safetensors
    python -m tools.benchmark_latent_memory --checkpoint sd15.safetensors --size 256

Needs COMFYUI_PATH. Every line is a process of its own, which loads the checkpoint as ComfyUI does and then does one
step of what it names, with two evaluations of the decoder's gradient. Memory is the peak over what was resident before:
allocated on the GPU, resident in the process on the CPU (Linux). Which of the ways is taken in use depends on the free
memory; here each is forced.
"""

from __future__ import annotations

import argparse
import time
from multiprocessing import get_context
from pathlib import Path

import torch

MODES = {
    "plain sampling": None,
    "decoding": None,
    "proximal, whole graph": ("proximal", False, False),
    "proximal, checkpointed": ("proximal", True, False),
    "proximal, tiles": ("proximal", True, True),
    "latent DPS, whole graph": ("latent DPS", False, False),
    "latent DPS, checkpointed": ("latent DPS", True, False),
}
TILE, OVERLAP = 16, 4  # so that a small picture has several


def measure(mode: str, arguments: argparse.Namespace) -> tuple[float, float]:
    """MiB over what was resident, and seconds."""
    torch.set_num_threads(arguments.threads)
    import comfy.sd
    from pack import load_pack

    load_pack()
    from maprps.host import run
    from maprps.host import vae as vae_module
    from maprps.host.latent import LatentRestoration, sample_latent_posterior
    from maprps.nodes.methods import guidance_term
    from maprps.operators.resampling import SuperResolution
    from maprps.solvers import proximal
    from maprps.solvers.posterior_sampling import dpm_solver

    with torch.inference_mode():
        model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(arguments.checkpoint))
        positive = [[clip.encode_from_tokens(clip.tokenize("a photo")), {}]]
        del clip
        size = arguments.size
        y = torch.rand(1, size // 4, size // 4, 3)
        restoration = LatentRestoration(model, vae, SuperResolution(4), y, 0.05, 0, positive)
        shape = restoration.shape()
        comfy.model_management.load_models_gpu([model, vae.patcher])
        resident, began = reset_peak(), time.perf_counter()
        if mode == "plain sampling":
            sigma = torch.ones(1)
            run.run_solver(model, lambda denoise, _: denoise(torch.randn(shape), sigma), shape, 0, positive)
        elif mode == "decoding":
            vae.decode(torch.randn(shape))
        else:
            guidance, checkpointed, tiled = MODES[mode]
            proximal.DECODER_EVALUATIONS = 2
            vae_module.TILE, vae_module.OVERLAP = TILE, OVERLAP
            vae_module.HostVAE.spare_memory = lambda self, *_: setattr(self, "tiled", tiled) or checkpointed
            run.GRADIENT_MEMORY = float("inf") if checkpointed else 0
            term = guidance_term(guidance, 0.01)
            sample_latent_posterior(restoration, torch.zeros(shape), [1.0, 0.0], term, dpm_solver)
        return peak() - resident, time.perf_counter() - began


def reset_peak() -> float:
    """MiB resident now."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    import psutil

    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    return psutil.Process().memory_info().rss / 2**20


def peak() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--modes", nargs="+", default=list(MODES))
    arguments = parser.parse_args()
    plain = None
    for mode in arguments.modes:
        with get_context("spawn").Pool(1) as pool:
            memory, seconds = pool.apply(measure, (mode, arguments))
        plain = plain or memory
        print(f"{mode:26s} {memory:7.0f} MiB, {memory / plain:5.1f} of the first line's, {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
