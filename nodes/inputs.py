"""The pack's own connection types, and inputs that several nodes share."""

from __future__ import annotations

from collections.abc import Iterable

from comfy_api.latest import io

from .newer_hosts import advanced

DegradationType = io.Custom("DEGRADATION")

CATEGORY = "MAP-RPS/degradations"

MAX_SEED = 2**64 - 1

# Defaults that several nodes have.
NOISE_STD = 0.01  # a clean photo; where there is more, what is made of it says so
STEPS = 0
CFG = 1.0
TILE = 0


def float_input(name: str, default: float, span: tuple[float, float, float], tooltip: str, **more) -> io.Input:
    """An optional number. span: the least, the most, and the step of the page's arrows; more: what the host takes."""
    least, most, step = span
    return io.Float.Input(name, optional=True, default=default, min=least, max=most, step=step, tooltip=tooltip, **more)


def int_input(name: str, default: int, span: tuple[int, int], tooltip: str, **more) -> io.Input:
    """The same of a whole number, without a step."""
    least, most = span
    return io.Int.Input(name, optional=True, default=default, min=least, max=most, tooltip=tooltip, **more)


def combo_input(name: str, options: Iterable[str], default: str, tooltip: str) -> io.Input:
    return io.Combo.Input(name, optional=True, options=list(options), default=default, tooltip=tooltip)


def degradation_input() -> io.Input:
    return DegradationType.Input(
        "degradation", tooltip="How the measurement was damaged, from one of the degradation nodes."
    )


def degradation_output() -> io.Output:
    return DegradationType.Output(
        tooltip="How an image is damaged: for Apply Degradation, and for the nodes that undo it."
    )


def measurement_input() -> io.Input:
    return io.Image.Input(
        "measurement", tooltip="From Apply Degradation, or your own damaged photo straight from Load Image."
    )


def noise_std_input() -> io.Input:
    return float_input(
        "noise_std",
        NOISE_STD,
        (0.0, 10.0, 0.005),
        "How noisy the measurement is, as a standard deviation on the 0..1 scale: 0.01 looks clean, 0.05 "
        "visible, 0.1 strong; Estimate Noise finds it. Use the same value at every node. Too small keeps noise as "
        "detail, or makes rings of a blur; too large smooths. Below 0.0005 counts as 0.0005.",
        round=False,
    )


def renoise_input(default: float, useful: str) -> io.Input:
    """useful: the range worth trying, as a clause of the tooltip."""
    return float_input(
        "renoise",
        default,
        (0.0, 1.0, 0.005),
        "How far to go, read like KSampler's denoise (the paper's t0/T): 0 returns the estimate, "
        f"{useful}, 1 forgets the estimate and samples the posterior.",
        round=False,
        display_mode=io.NumberDisplay.slider,
    )


def sampling_steps_input() -> io.Input:
    return int_input(
        "steps",
        STEPS,
        (0, 1000),
        "Model calls for each sample. 0 chooses: 12 to 20, more the further renoise goes back.",
    )


def samples_input() -> io.Input:
    return int_input(
        "samples", 1, (1, 64), "Different restorations of each image, as a batch. Feed several to Uncertainty."
    )


def seed_input(
    tooltip: str = "The same seed gives the same image, whatever the batch and the device.",
    control_after_generate: bool = True,
) -> io.Input:
    """control_after_generate: whether the page draws another seed after each run, as it does for samplers."""
    return int_input("seed", 0, (0, MAX_SEED), tooltip, control_after_generate=control_after_generate)


def positive_input() -> io.Input:
    return io.Conditioning.Input(
        "positive",
        optional=True,
        tooltip="What the picture shows, for a pixel model that takes text. Leave it unconnected for the embedded "
        "prior.",
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
        float_input(
            "cfg",
            CFG,
            (0.0, 100.0, 0.1),
            "How strongly the prompt counts. 1: as the model learned it, and half the time; the paper takes "
            "1.5. More trusts the prompt over the measurement.",
        ),
        io.Clip.Input(
            "clip",
            optional=True,
            tooltip="In place of positive: the model's CLIP, for an empty prompt.",
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


def tile_input() -> io.Input:
    return advanced(
        int_input(
            "tile",
            TILE,
            (0, 8192),
            "Pixels of a side of the tiles that the model and the VAE are given. 0 chooses: the whole image where it "
            "fits the memory, else tiles. Lower it where memory runs out.",
        )
    )
