"""Train the embedded latent example from a store of photographs (see collect_photos.py): first its VAE, then its prior.

    python -m tools.train_latent_example vae --store DIR --run DIR/vae --hours 1 --anneal-minutes 10
    python -m tools.train_latent_example encode --store DIR --run DIR/vae
    python -m tools.train_latent_example prior --store DIR --run DIR/prior --hours 1 --anneal-minutes 10 --vae DIR/vae
    python -m tools.train_latent_example decoder --store DIR --run DIR/decoder --anneal-minutes 10 --vae DIR/vae

The networks are ComfyUI's own, found by COMFYUI_PATH. The VAE is a TAESD of 16 channels, trained to reconstruct, with
noise on its latents so that nearby latents mean nearby pictures. `encode` writes the latents of all photos, turned and
shifted, into the VAE's run folder. The prior is trained on crops of those, to predict v (Salimans & Ho 2022).
`decoder` goes on with the decoder alone, so that the latents, and a prior trained on them, stay what they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.taesd.taesd import TAESD, Block, Clamp, conv
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maprps.host.latent_example import LATENT_CHANNELS, UNET_CONFIG
from maprps.models.schedules import stable_diffusion_sigmas

from .training import Loss, Photos, Training, add_arguments, train

DOWNSCALE = 8
VAE_CROP, VAE_BATCH = 64, 8
WIDTHS = 16, 32, 64, 64  # at 1, 1/2, 1/4 and 1/8 of the size
VAE_RATE = 0.25  # no normalization layers: at 1 it diverges
LATENT_NOISE = 0.05
CROP, BATCH = 16, 32  # of latents
PASSES = 1  # over the photos, each with other turns and offsets
LARGEST_SIDE = 704  # of what is encoded at once
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -0.4, 1.4


class SlimVAE(nn.Module):
    """A TAESD with fewer channels where there are more pixels; `widened` makes it one, with zeros for the rest."""

    def __init__(self) -> None:
        super().__init__()
        full, half, quarter, eighth = WIDTHS
        self.taesd_encoder = nn.Sequential(
            conv(3, full),
            Block(full, full),
            *_stage(conv(full, half, stride=2, bias=False), half),
            *_stage(conv(half, quarter, stride=2, bias=False), quarter),
            *_stage(conv(quarter, eighth, stride=2, bias=False), eighth),
            conv(eighth, LATENT_CHANNELS),
        )
        self.taesd_decoder = nn.Sequential(
            Clamp(),
            conv(LATENT_CHANNELS, eighth),
            *_stage(nn.ReLU(), eighth),
            nn.Upsample(scale_factor=2),
            *_stage(conv(eighth, quarter, bias=False), quarter),
            nn.Upsample(scale_factor=2),
            *_stage(conv(quarter, half, bias=False), half),
            nn.Upsample(scale_factor=2),
            conv(half, full, bias=False),
            Block(full, full),
            conv(full, 3),
        )
        for name, p in self.named_parameters():
            if name.endswith("conv.4.weight") or name.endswith("bias"):
                nn.init.zeros_(p)  # every residual block is the identity at first
            else:
                nn.init.kaiming_normal_(p)

    encode, decode = TAESD.encode, TAESD.decode
    vae_scale, vae_shift = 1.0, 0.0

    def widened(self) -> TAESD:
        vae = TAESD(latent_channels=LATENT_CHANNELS)
        slim = self.state_dict()
        for name, p in vae.named_parameters():
            if name in slim:
                nn.init.zeros_(p)
                p.data[tuple(slice(n) for n in slim[name].shape)] = slim[name]
        return vae


def _stage(first: nn.Module, width: int) -> list[nn.Module]:
    return [first, *(Block(width, width) for _ in range(3))]


def vae_loss(vae: SlimVAE, clean: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error in model units, and a penalty that keeps the latents' standard deviation at 1 or less."""
    latents = vae.encode(clean.contiguous(memory_format=torch.channels_last))
    noise = torch.randn(latents.shape, generator=generator).to(clean.device)
    error = (vae.decode(latents + LATENT_NOISE * noise) - clean).square().mean()
    excess = (latents.square().mean((0, 2, 3)) - 1).relu().square().mean()
    return error + 0.1 * excess


def decoder_loss(vae: SlimVAE) -> Loss:
    """Squared error of a decoder of the latents that the VAE's encoder, held fixed, gives."""

    def loss(decoder: nn.Module, clean: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            latents = vae.encode(clean.contiguous(memory_format=torch.channels_last))
            latents += LATENT_NOISE * torch.randn(latents.shape, generator=generator).to(clean.device)
        return (decoder(latents) * 2 - 1 - clean).square().mean()

    return loss


def encode(vae: SlimVAE, store: Path, file: Path) -> None:
    """Latents of every photo, or of a large part of it, in PASSES random turns and offsets, as fp16."""
    photos = Photos(store, VAE_CROP, 1, seed=0)
    index: list[dict[str, int]] = []
    parts: list[np.ndarray] = []
    for turn in range(PASSES):
        for image in photos.images:
            height, width, offset = image["height"], image["width"], image["offset"]
            pixels = photos.pixels[offset : offset + height * width * 3].reshape(height, width, 3)
            top, left = (int(photos.random.integers(1 + max(0, n - LARGEST_SIDE))) for n in (height, width))
            top, left = top + int(photos.random.integers(DOWNSCALE)), left + int(photos.random.integers(DOWNSCALE))
            crop = pixels[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]
            crop = crop[: crop.shape[0] // DOWNSCALE * DOWNSCALE, : crop.shape[1] // DOWNSCALE * DOWNSCALE]
            crop = np.rot90(crop, int(photos.random.integers(4)))
            crop = crop[:, ::-1] if turn % 2 else crop
            x = torch.from_numpy(crop.copy()).movedim(-1, 0)[None].float().div_(127.5).sub_(1)
            with torch.inference_mode():
                latents = vae.encode(x.contiguous(memory_format=torch.channels_last))[0]
            index.append({"offset": sum(p.size for p in parts[-1:]) + (index[-1]["offset"] if index else 0)})
            index[-1].update(height=latents.shape[1], width=latents.shape[2])
            parts.append(latents.movedim(0, -1).half().contiguous().numpy().ravel())
    flat = np.concatenate(parts)
    scale = float(np.std(flat.astype(np.float32)))
    flat.tofile(file.with_suffix(".bin"))
    file.with_suffix(".json").write_text(json.dumps({"scale": scale, "images": index}))
    print(f"{len(index)} photos, {flat.size / 1e6:.0f} M numbers, standard deviation {scale:.3f}")


class Latents:
    """Random crops of encoded photos, [B, C, CROP, CROP], of unit variance over all."""

    def __init__(self, file: Path, seed: int):
        described = json.loads(file.with_suffix(".json").read_text())
        self.values = np.memmap(file.with_suffix(".bin"), dtype=np.float16, mode="r")
        self.scale = described["scale"]
        self.images = [i for i in described["images"] if min(i["height"], i["width"]) >= CROP]
        areas = np.array([i["height"] * i["width"] for i in self.images], dtype=np.float64)
        self.weights = np.sqrt(areas) / np.sqrt(areas).sum()
        self.random = np.random.default_rng(seed)

    def batch(self) -> Tensor:
        crops = np.empty((BATCH, CROP, CROP, LATENT_CHANNELS), dtype=np.float32)
        for n, number in enumerate(self.random.choice(len(self.images), BATCH, p=self.weights)):
            image = self.images[number]
            height, width, offset = image["height"], image["width"], image["offset"]
            top, left = self.random.integers(height - CROP + 1), self.random.integers(width - CROP + 1)
            values = self.values[offset : offset + height * width * LATENT_CHANNELS]
            crops[n] = values.reshape(height, width, -1)[top : top + CROP, left : left + CROP]
        return torch.from_numpy(crops).movedim(-1, 1) / self.scale


def new_prior() -> UNetModel:
    torch.manual_seed(0)
    unet = UNetModel(**UNET_CONFIG)
    for name, p in unet.named_parameters():
        if name.endswith("out_layers.3.weight") or name.startswith("out.2.") or name.endswith("bias"):
            nn.init.zeros_(p)
        elif p.ndim >= 2:
            nn.init.kaiming_normal_(p, nonlinearity="linear")
        else:
            nn.init.ones_(p)
    return unet


def prior_loss(unet: nn.Module, clean: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error of v = (eps - sigma x0) / sqrt(1 + sigma^2), at the noise levels that the host knows."""
    known = stable_diffusion_sigmas().float()
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(len(clean), generator=generator)).exp()
    steps = (known.log() - sigma.log()[:, None]).abs().argmin(1)
    sigma = known[steps].view(-1, 1, 1, 1).to(clean.device)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    root = (1 + sigma**2).sqrt()
    noisy = ((clean + sigma * noise) / root).contiguous(memory_format=torch.channels_last)
    return (unet(noisy, steps.float().to(clean.device)) - (noise - sigma * clean) / root).square().mean()


def save_example(unet: nn.Module, vae: SlimVAE, scale: float, file: Path, header: dict) -> None:
    """One file that the host's VAE class and `host.latent_example` read; fp16."""
    weights = {f"model.diffusion_model.{key}": value for key, value in unet.state_dict().items()}
    weights |= vae.widened().state_dict() | {"vae_scale": torch.tensor(scale)}
    save_file({key: value.half().contiguous() for key, value in weights.items()}, file, {"maprps": json.dumps(header)})


def train_vae(vae: SlimVAE, arguments: argparse.Namespace, file: Path) -> None:
    training = Training(
        arguments.run,
        vae,
        vae_loss,
        lambda seed: Photos(arguments.store, VAE_CROP, VAE_BATCH, seed),
        ("taesd_encoder.0.", "taesd_encoder.14.", "taesd_decoder.1.", "taesd_decoder.19."),
        arguments.device,
        rate=VAE_RATE,
    )
    train(training, arguments)
    save_file({key: value.contiguous() for key, value in training.average.state_dict().items()}, file)
    print(f"exported {file} after {int(training.steps) * VAE_BATCH} images")


def train_decoder(vae: SlimVAE, arguments: argparse.Namespace) -> None:
    training = Training(
        arguments.run,
        vae.taesd_decoder,
        decoder_loss(vae.to(arguments.device).to(memory_format=torch.channels_last)),
        lambda seed: Photos(arguments.store, VAE_CROP, VAE_BATCH, seed),
        ("1.", "19."),
        arguments.device,
        rate=VAE_RATE,
    )
    train(training, arguments)
    vae.taesd_decoder, better = training.average, arguments.run / "vae.safetensors"
    save_file({key: value.contiguous() for key, value in vae.state_dict().items()}, better)
    print(f"exported {better} after {int(training.steps) * VAE_BATCH} more images")


def train_prior(vae: SlimVAE, arguments: argparse.Namespace, latents: Path) -> None:
    training = Training(
        arguments.run,
        new_prior(),
        prior_loss,
        lambda seed: Latents(latents, seed),
        ("out.", "input_blocks.0."),
        arguments.device,
    )
    train(training, arguments)
    images, example = int(training.steps) * BATCH, arguments.run / "latent_example.safetensors"
    save_example(training.average, vae, Latents(latents, 0).scale, example, {"images": images})
    print(f"exported {example} after {images} images")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("vae", "encode", "prior", "decoder"))
    add_arguments(parser)
    parser.add_argument("--vae", type=Path, help="run folder of the VAE, for the prior and the decoder")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    folder = arguments.vae or arguments.run
    vae_file, latents = folder / "vae.safetensors", folder / "latents"
    vae = SlimVAE()
    if vae_file.exists():
        vae.load_state_dict(load_file(vae_file))
    if arguments.part == "vae":
        train_vae(vae, arguments, vae_file)
    elif arguments.part == "decoder":
        train_decoder(vae, arguments)
    elif arguments.part == "encode":
        encode(vae.to(memory_format=torch.channels_last), arguments.store, latents)
    else:
        train_prior(vae, arguments, latents)


if __name__ == "__main__":
    main()
