"""Train the embedded prior on one GPU, as the shipped one was, on a folder of photographs (see collect_photos.py).

    python -m tools.train_prior --photos DIR --out prior.safetensors

20 000 batches of 128 crops. `--seconds` stops early, where a GPU is lent for so long; the same command goes on from
the checkpoint beside the file, prior.pt. `--steps` makes it longer. The weights are written whenever it stops.

The loss is that of EDM (Karras et al. 2022, eq. 8) with its preconditioning; training/ has the rest.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from maprps.models.adm import ADM
from maprps.models.embedded import CONFIG, PRECONDITIONING, save_embedded

from .training import Photos, Recipe, Training, add_arguments

STEPS = 20_000
PLAIN = ("out.", "input_blocks.0.")
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2, 1.3


def new_prior() -> ADM:
    torch.manual_seed(0)
    model = ADM(CONFIG)
    nn.init.zeros_(model.get_parameter("out.2.weight"))
    return model


def loss_of(model: nn.Module, clean: Tensor) -> Tensor:
    """EDM loss; its weight makes it the plain squared error of the raw network output."""
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(len(clean), 1, 1, 1, device=clean.device)).exp()
    scaling = PRECONDITIONING.scaling(sigma)
    noisy = clean + sigma * torch.randn_like(clean)
    raw = model((scaling.input * noisy).contiguous(memory_format=torch.channels_last), scaling.noise.flatten())
    target = (clean - scaling.skip * noisy) / scaling.output
    return (raw.float() - target).square().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    crop, batch = (96, 128) if arguments.device == "cuda" else (32, 4)
    photos = Photos(arguments.photos, crop, arguments.device)
    recipe = Recipe(arguments.steps, arguments.anneal_from, PLAIN)
    training = Training(new_prior(), recipe, arguments.out.with_suffix(".pt"), arguments.device)
    training.run(lambda model: loss_of(model, photos.batch(batch)), arguments.seconds)
    save_embedded(training.average, arguments.out, training.step * batch)
    print(f"wrote {arguments.out} after {training.step} of {arguments.steps} steps")


if __name__ == "__main__":
    main()
