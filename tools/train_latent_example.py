"""Train the embedded latent example on one GPU, as the shipped one was: first its VAE, then a prior of its latents.

    python -m tools.train_latent_example --photos DIR --out latent_example.safetensors
    python -m tools.train_latent_example --photos DIR --out lossy.safetensors --channels 4

The photographs are those of collect_photos.py; the networks are ComfyUI's own, found by COMFYUI_PATH. With 4 channels
the VAE loses as much as that of Stable Diffusion 1.5. 20 000 batches of 48 crops for the VAE, 13 000 of 96 for the
prior. `--seconds` stops early, where a GPU is lent for so long; the same command goes on from the checkpoints beside
the file, latent_example.vae.pt and latent_example.pt. The weights are written once there is a prior.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from comfy.taesd.taesd import TAESD
from safetensors.torch import save_file
from torch import Tensor, nn

from maprps.host.latent_example import LATENT_CHANNELS, UNET_PREFIX
from maprps.models.schedules import stable_diffusion_sigmas

from .training import Photos, Recipe, Training, add_arguments, autoencoder, latent_prior
from .training.latent_rgb import fit_latent_rgb

VAE_STEPS = 20_000
PRIOR_STEPS = 13_000


def trained_vae(arguments: argparse.Namespace) -> Training[autoencoder.Autoencoder]:
    crop, batch = (96, 48) if arguments.device == "cuda" else (32, 2)
    photos = Photos(arguments.photos, crop, arguments.device)
    recipe = Recipe(arguments.vae_steps, arguments.anneal_from, autoencoder.PLAIN, autoencoder.RATE, largest_gradient=1)
    model = autoencoder.Autoencoder(arguments.channels)
    training = Training(model, recipe, arguments.out.with_suffix(".vae.pt"), arguments.device)
    training.run(
        lambda model: autoencoder.autoencoder_loss(model, photos.batch(batch), arguments.channels), arguments.seconds
    )
    return training


def train_prior(vae: TAESD, arguments: argparse.Namespace, seconds: float) -> None:
    """Of the VAE's latents, brought to unit variance over all; then everything into one file."""
    crop, batch = (192, 96) if arguments.device == "cuda" else (64, 2)
    photos = Photos(arguments.photos, crop, arguments.device)

    @torch.no_grad()
    def encoded(images: Tensor) -> Tensor:
        return vae.encode(images.contiguous(memory_format=torch.channels_last)).float()

    torch.manual_seed(0)
    images = photos.batch(4 * batch)
    latents = torch.cat([encoded(part) for part in images.split(batch)])
    scale = latents.square().mean().sqrt().item()
    recipe = Recipe(arguments.prior_steps, arguments.anneal_from, latent_prior.PLAIN)
    model = latent_prior.new_latent_prior(arguments.channels)
    training = Training(model, recipe, arguments.out.with_suffix(".pt"), arguments.device)
    known = stable_diffusion_sigmas().float().to(arguments.device)
    training.run(
        lambda model: latent_prior.latent_prior_loss(model, encoded(photos.batch(batch)) / scale, known), seconds
    )
    header = {"images": training.step * batch, **fit_latent_rgb(latents / scale, images)}
    save_example(training.average, vae, scale, header, arguments.out)
    print(f"wrote {arguments.out} after {training.step} of {arguments.prior_steps} steps")


def save_example(unet: nn.Module, vae: TAESD, scale: float, header: dict, path: Path) -> None:
    """One file that the host's VAE class and `host.latent_example` read; fp16."""
    weights = {UNET_PREFIX + name: value for name, value in unet.state_dict().items()}
    weights |= vae.state_dict() | {"vae_scale": torch.tensor(scale)}
    tensors = {name: value.half().contiguous().cpu() for name, value in weights.items()}
    save_file(tensors, path, metadata={"maprps": json.dumps(header)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--channels", type=int, default=LATENT_CHANNELS, help="of the latents")
    parser.add_argument("--vae-steps", type=int, default=VAE_STEPS)
    parser.add_argument("--prior-steps", type=int, default=PRIOR_STEPS)
    arguments = parser.parse_args()
    start = time.monotonic()
    vae = trained_vae(arguments)
    if vae.finished:
        train_prior(vae.average.vae, arguments, arguments.seconds - (time.monotonic() - start))
    else:
        print(f"the VAE is at {vae.step} of {arguments.vae_steps} steps; the same command goes on")


if __name__ == "__main__":
    main()
