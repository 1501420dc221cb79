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
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import comfy.model_management
import comfy.sd
import torch

from maprps.host import run
from maprps.host import vae as vae_module
from maprps.host.restoration import Restoration, sample_posterior
from maprps.operators.resampling import SuperResolution
from maprps.solvers import proximal
from maprps.solvers.guidance import Guidance, LatentDPS, Proximal
from maprps.solvers.posterior_sampling import dpm_solver

GUIDED: dict[str, tuple[Guidance, bool, bool]] = {  # checkpointed, in tiles
    "proximal, whole graph": (Proximal(), False, False),
    "proximal, checkpointed": (Proximal(), True, False),
    "proximal, tiles": (Proximal(), True, True),
    "latent DPS, whole graph": (LatentDPS(0.01), False, False),
    "latent DPS, checkpointed": (LatentDPS(0.01), True, False),
}
MODES = ("plain sampling", "decoding", *GUIDED)
TILE, OVERLAP = 16, 4  # so that a small picture has several


def measure(mode: str, arguments: argparse.Namespace) -> tuple[float, float]:
    """MiB over what was resident, and seconds."""
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(arguments.checkpoint))
        positive = [[clip.encode_from_tokens(clip.tokenize("a photo")), {}]]
        del clip
        size = arguments.size
        y = torch.rand(1, size // 4, size // 4, 3)
        restoration = Restoration(model, SuperResolution(4), y, 0.05, 0, vae, positive)
        shape = (1, *restoration.latent_shape)
        comfy.model_management.load_models_gpu([model, vae.patcher])
        resident, began = reset_peak(), time.perf_counter()
        if mode == "plain sampling":
            sigma = torch.ones(1)
            workload, conditioning = run.Workload(model, shape), run.Conditioning(positive)
            run.run_solver(workload, lambda denoise, _: denoise(torch.randn(shape), sigma), 0, conditioning)
        elif mode == "decoding":
            vae.decode(torch.randn(shape))
        else:
            guidance, checkpointed, tiled = GUIDED[mode]
            force(checkpointed, tiled)
            sample_posterior(restoration, torch.zeros(shape), [1.0, 0.0], guidance, dpm_solver)
        return peak() - resident, time.perf_counter() - began


def force(checkpointed: bool, tiled: bool) -> None:
    """The way back through the decoder and the model, whatever memory is free; two evaluations of the decoder."""

    def spare_memory(vae: vae_module.HostVAE, batch: int, free: int) -> bool:
        vae.tiled = tiled
        return checkpointed

    vae_module.HostVAE.spare_memory = spare_memory  # type: ignore[assignment, method-assign]
    vae_module.TILE, vae_module.OVERLAP = TILE, OVERLAP
    run.MODEL_GRAPH = sys.maxsize if checkpointed else 0
    proximal.DECODER_EVALUATIONS = 2


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
