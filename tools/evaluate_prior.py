"""What a prior is worth: how well it denoises photographs, and what it draws by itself.

    python -m tools.evaluate_prior models/embedded_prior.safetensors --images DIR
    python -m tools.evaluate_prior models/embedded_prior.safetensors --samples 16 --out samples.png

The first prints the PSNR of Gaussian denoising as the literature reports it (CBM3D, FFDNet): noise of a known standard
deviation, not clipped; the result clipped to [0, 1]; PSNR over all channels of an image, averaged over the folder's
images. The second draws unconditional samples and writes them as one contact sheet.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from maprps.models import PixelNetwork, load_pixel_network
from maprps.solvers.guidance import Guided
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import dpm_solver
from maprps.solvers.problem import per_image, silent
from maprps.solvers.schedules import log_sigmas


def read_image(path: Path) -> Tensor:
    """[1, 3, H, W] in [0, 1]."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).movedim(-1, 0)[None]


def denoising_psnr(network: PixelNetwork, clean: Tensor, noise_std: float, seed: int) -> float:
    """PSNR in dB of one denoised image. clean [1, 3, H, W] and noise_std in image units."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).to(clean.device)
    noisy = 2 * (clean + noise_std * noise) - 1
    denoised = (network(noisy, per_image(2 * noise_std, noisy)) + 1) / 2
    return -10 * math.log10((denoised.clamp(0, 1) - clean).square().mean().item())


def draw_samples(network: PixelNetwork, count: int, size: int, steps: int, seed: int, device: str) -> Tensor:
    """[count, 3, size, size] in [0, 1], one after the other to keep memory low."""
    sigmas = log_sigmas(network.sigma_max, network.sigma_min, steps)
    samples = []
    for number in range(count):
        noise = Noise(seed, [number], stage=0)
        start = sigmas[0] * noise.like(torch.empty(1, 3, size, size, device=device))
        sample = dpm_solver(lambda x, s, _: Guided(network(x, per_image(s, x))), start, sigmas, noise, silent)
        samples.append(((sample + 1) / 2).clamp(0, 1))
    return torch.cat(samples)


def contact_sheet(images: Tensor) -> Image.Image:
    """The images [N, 3, H, W] in rows, as near to a square as their number allows."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[-2:]
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for i, image in enumerate(images.movedim(1, -1).mul(255).round().byte().cpu().numpy()):
        sheet.paste(Image.fromarray(image), (i % columns * width, i // columns * height))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prior", type=Path, help=".safetensors or PyTorch file of a pixel-space network")
    parser.add_argument("--images", type=Path, help="folder of PNGs to denoise")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[15, 25, 50], help="noise levels, of 255")
    parser.add_argument("--samples", type=int, default=0, help="how many unconditional samples to draw")
    parser.add_argument("--size", type=int, default=128, help="side of a sample in pixels")
    parser.add_argument("--steps", type=int, default=64, help="sampling steps")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help="where the contact sheet goes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    network = load_pixel_network(arguments.prior)
    network.network.to(arguments.device)

    with torch.inference_mode():
        if arguments.images:
            images = [read_image(path).to(arguments.device) for path in sorted(arguments.images.glob("*.png"))]
            if not images:
                parser.error(f"there are no PNGs in {arguments.images}")
            for sigma in arguments.sigmas:
                values = [denoising_psnr(network, x, sigma / 255, arguments.seed + i) for i, x in enumerate(images)]
                print(f"sigma {sigma:g}/255: {np.mean(values):.2f} dB over {len(values)} images", flush=True)
        if arguments.samples:
            samples = draw_samples(
                network, arguments.samples, arguments.size, arguments.steps, arguments.seed, arguments.device
            )
            contact_sheet(samples).save(arguments.out)
            print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
