"""What the latent example's VAE keeps of photographs: PSNR after encoding and decoding by the host's own VAE class.

    python -m tools.evaluate_vae models/latent_example.safetensors --images DIR

A side that is no multiple of 8 loses what is over, half at each end. The mean of the images' PSNR, in fp32 on a CPU.
Needs COMFYUI_PATH.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from maprps.evaluation import psnr
from maprps.host.latent_example import load_latent_example

from .evaluate_prior import read_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", type=Path, help="file of a latent example")
    parser.add_argument("--images", type=Path, required=True, help="folder of PNGs")
    arguments = parser.parse_args()
    _, vae = load_latent_example(arguments.example)
    values = []
    with torch.inference_mode():
        for path in sorted(arguments.images.glob("*.png")):
            image = vae.vae_encode_crop_pixels(read_image(path).movedim(1, -1))
            values.append(float(psnr(vae.decode(vae.encode(image)), image)))
    print(f"encoded and decoded: {np.mean(values):.2f} dB over {len(values)} images")


if __name__ == "__main__":
    main()
