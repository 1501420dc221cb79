"""Peak memory of every mode over that of plain sampling at the same size, side by side.

    python -m tools.benchmark_memory --model pixel --size 512      # the embedded prior
    python -m tools.benchmark_memory --model latent                # the embedded latent example
    python -m tools.make_random_checkpoint sd15 sd15.safetensors
    python -m tools.benchmark_memory --model sd15.safetensors      # a checkpoint of your own

Needs COMFYUI_PATH. Every line is a process of its own, which loads the model as ComfyUI does and then does one step of
what it names, with two evaluations of the decoder's gradient. Memory is the peak over what was resident before:
allocated on the GPU, resident in the process on the CPU (Linux). Which of the ways is taken in use depends on the free
memory; here each is forced.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import get_context
from typing import NamedTuple

import comfy.model_management
import comfy.sd
import torch

from maprps.host import run
from maprps.host.latent_example import load_latent_example
from maprps.host.pixel_model import as_host_model
from maprps.host.restoration import Restoration, sample_posterior
from maprps.host.vae import HostVAE
from maprps.models import load_embedded
from maprps.operators.resampling import SuperResolution
from maprps.solvers import proximal
from maprps.solvers.guidance import DPS, Guidance, LatentDPS, Proximal
from maprps.solvers.posterior_sampling import dpm_solver

from .peak_memory import peak, reset_peak


class Mode(NamedTuple):
    """guidance: of the step, None of a call of the model and a decoding. checkpointed: blocks are computed again.
    tiled: in tiles of the size that --tile says."""

    guidance: Guidance | None = None
    checkpointed: bool = False
    tiled: bool = False


PLAIN = {"plain sampling": Mode(), "plain sampling, tiles": Mode(tiled=True)}
PIXEL = {
    **PLAIN,
    "proximal": Mode(Proximal()),
    "proximal, tiles": Mode(Proximal(), tiled=True),
    "DPS, whole graph": Mode(DPS()),
    "DPS, checkpointed": Mode(DPS(), checkpointed=True),
    "DPS, tiles": Mode(DPS(), tiled=True),
}
LATENT = {
    **PLAIN,
    "proximal, whole graph": Mode(Proximal()),
    "proximal, checkpointed": Mode(Proximal(), checkpointed=True),
    "proximal, tiles": Mode(Proximal(), tiled=True),
    "latent DPS, whole graph": Mode(LatentDPS(0.01)),
    "latent DPS, checkpointed": Mode(LatentDPS(0.01), checkpointed=True),
    "latent DPS, tiles": Mode(LatentDPS(0.01), tiled=True),
}


def measure(name: str, arguments: argparse.Namespace) -> tuple[float, float]:
    """MiB over what was resident, and seconds."""
    torch.set_num_threads(arguments.threads)
    mode = modes_of(arguments.model)[name]
    with torch.inference_mode():
        restoration = loaded(arguments, arguments.tile if mode.tiled else 0)
        shape = (1, *restoration.latent_shape)
        vae = restoration.host_vae
        comfy.model_management.load_models_gpu([restoration.model, *([vae.patcher] if vae else [])])
        force(mode.checkpointed)
        resident, began = reset_peak(), time.perf_counter()
        if mode.guidance is None:
            sigma = torch.ones(1)
            restoration.run(lambda denoise, _: restoration.restored(denoise(torch.randn(shape), sigma), denoise, name))
        else:
            estimate = torch.zeros(shape if vae else (1, arguments.size, arguments.size, 3))
            sample_posterior(restoration, estimate, [1.0, 0.0], mode.guidance, dpm_solver)
        return peak() - resident, time.perf_counter() - began


def modes_of(model: str) -> dict[str, Mode]:
    return PIXEL if model == "pixel" else LATENT


def loaded(arguments: argparse.Namespace, tile: int) -> Restoration:
    vae = positive = None
    if arguments.model == "pixel":
        model = as_host_model(load_embedded())
    elif arguments.model == "latent":
        model, vae = load_latent_example()
    else:
        model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(arguments.model)
        positive = [[clip.encode_from_tokens(clip.tokenize("a photo")), {}]]
    y = torch.rand(1, arguments.size // 4, arguments.size // 4, 3)
    return Restoration(model, SuperResolution(4), y, 0.05, 0, vae, positive, tile=tile)


def force(checkpointed: bool) -> None:
    """The way back through the decoder and the model, whatever memory is free; two evaluations of the decoder."""
    HostVAE.is_short = lambda vae, *_: checkpointed and not vae.gradient_cut.size  # type: ignore[method-assign]
    run.obtainable_memory = lambda device: sys.maxsize
    run.MODEL_GRAPH = sys.maxsize if checkpointed else 0
    proximal.DECODER_EVALUATIONS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pixel", help="pixel, latent, or a checkpoint's file")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--modes", nargs="+", help="some of the lines; all by default")
    arguments = parser.parse_args()
    plain = None
    for name in arguments.modes or modes_of(arguments.model):
        with get_context("spawn").Pool(1) as pool:
            memory, seconds = pool.apply(measure, (name, arguments))
        plain = plain or memory
        print(f"{name:26s} {memory:7.0f} MiB, {memory / plain:5.1f} of the first line's, {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
