"""Inputs that the nodes for latent models share."""

from __future__ import annotations

from comfy_api.latest import io


def model_input() -> io.Input:
    return io.Model.Input(
        "model", tooltip="A latent diffusion model: Stable Diffusion and the like, with LoRA and patches as you need."
    )


def vae_input() -> io.Input:
    return io.Vae.Input("vae", tooltip="The VAE that belongs to the model, from its checkpoint or Load VAE.")


def prompt_inputs() -> list[io.Input]:
    return [
        io.Conditioning.Input(
            "positive",
            optional=True,
            tooltip="What the picture shows, from CLIP Text Encode; an empty prompt will do. ControlNet may be "
            "applied. Models that take no text need none.",
        ),
        io.Conditioning.Input(
            "negative", optional=True, tooltip="What it does not show. Used where cfg is not 1, and needed there."
        ),
        io.Float.Input(
            "cfg",
            optional=True,
            default=1.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="How strongly the prompt counts. 1: as the model learned it, and half the time; the paper takes "
            "1.5. More trusts the prompt over the measurement.",
        ),
    ]


def color_input() -> io.Input:
    return io.Boolean.Input(
        "keep_colors",
        optional=True,
        default=True,
        tooltip="Take the image's colors and brightness over wide areas from the measurement, where the VAE has "
        "shifted them. Changes the image output only, not the latent.",
    )
