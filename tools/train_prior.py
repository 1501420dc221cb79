"""Train the embedded prior from a store of photographs (see collect_photos.py), on the CPU or a GPU.

    python -m tools.train_prior --store DIR --run DIR --hours 5            # starts, or resumes where it stopped
    python -m tools.train_prior --store DIR --run DIR --anneal-minutes 40  # learning rate to zero, then export

The loss is that of EDM (Karras et al. 2022, eq. 8) with its preconditioning; training.py has the rest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from maprps.models import load_pixel_network
from maprps.models.adm import ADM
from maprps.models.embedded import CONFIG, PRECONDITIONING, images_seen, save_embedded

from .training import Photos, Training, add_arguments, train

CROP = 64
BATCH = 32
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2, 1.3


def loss_of(model: nn.Module, clean: Tensor, generator: torch.Generator) -> Tensor:
    """EDM loss; its weight makes it the plain squared error of the raw network output."""
    shape = (len(clean), 1, 1, 1)
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(shape, generator=generator)).exp().to(clean.device)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    scaling = PRECONDITIONING.scaling(sigma)
    noisy = clean + sigma * noise
    raw = model((scaling.input * noisy).contiguous(memory_format=torch.channels_last), scaling.noise.flatten())
    target = (clean - scaling.skip * noisy) / scaling.output
    return (raw - target).square().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--start-from", type=Path, help="an exported prior, where the run has no checkpoint of its own")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model, seen_before = ADM(CONFIG), 0
    nn.init.zeros_(model.get_parameter("out.2.weight"))
    if arguments.start_from:
        model.load_state_dict(load_pixel_network(arguments.start_from).network.state_dict())
        seen_before = images_seen(arguments.start_from)
    training = Training(
        arguments.run,
        model,
        loss_of,
        lambda seed: Photos(arguments.store, CROP, BATCH, seed),
        ("out.", "input_blocks.0."),
        arguments.device,
        seen_before,
    )
    train(training, arguments)
    images = training.seen_before + int(training.steps) * BATCH
    save_embedded(training.average, arguments.run / "prior.safetensors", images)
    print(f"exported {arguments.run / 'prior.safetensors'} after {images} images")


if __name__ == "__main__":
    main()
