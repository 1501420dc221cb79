"""The pack's own connection types, and inputs that several nodes share."""

from __future__ import annotations

from comfy_api.latest import io

DegradationType = io.Custom("DEGRADATION")

CATEGORY = "MAP-RPS/degradations"

MAX_SEED = 2**64 - 1

# Defaults that several nodes have.
NOISE_STD = 0.05
STEPS = 16
CFG = 1.0


def degradation_input() -> io.Input:
    return DegradationType.Input(
        "degradation", tooltip="How the measurement was damaged, from one of the degradation nodes."
    )


def measurement_input() -> io.Input:
    return io.Image.Input(
        "measurement", tooltip="From Apply Degradation, or your own damaged photo straight from Load Image."
    )


def noise_std_input() -> io.Input:
    return io.Float.Input(
        "noise_std",
        optional=True,
        default=NOISE_STD,
        min=0.0,
        max=10.0,
        step=0.005,
        round=False,
        tooltip="How noisy the measurement is, as a standard deviation on the 0..1 scale: 0.01 looks clean, 0.05 "
        "visible, 0.1 strong. Use the same value at every node. Too small keeps noise as detail, too large smooths. "
        "Below 0.0005 counts as 0.0005.",
    )


def renoise_input(default: float, useful: str) -> io.Input:
    """useful: the range worth trying, as a clause of the tooltip."""
    return io.Float.Input(
        "renoise",
        optional=True,
        default=default,
        min=0.0,
        max=1.0,
        step=0.005,
        round=False,
        display_mode=io.NumberDisplay.slider,
        tooltip="How far to go, read like KSampler's denoise (the paper's t0/T): 0 returns the estimate, "
        f"{useful}, 1 forgets the estimate and samples the posterior.",
    )


def sampling_steps_input() -> io.Input:
    return io.Int.Input(
        "steps",
        optional=True,
        default=STEPS,
        min=1,
        max=1000,
        tooltip="Model calls for each sample. 16 is enough; 8 for a look.",
    )


def samples_input() -> io.Input:
    return io.Int.Input(
        "samples",
        optional=True,
        default=1,
        min=1,
        max=64,
        tooltip="Different restorations of each image, as a batch. Feed several to Uncertainty.",
    )


def seed_input(
    tooltip: str = "The same seed gives the same image, whatever the batch and the device.",
    control_after_generate: bool = True,
) -> io.Input:
    """control_after_generate: whether the page draws another seed after each run, as it does for samplers."""
    return io.Int.Input(
        "seed",
        optional=True,
        default=0,
        min=0,
        max=MAX_SEED,
        control_after_generate=control_after_generate,
        tooltip=tooltip,
    )


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
        io.Float.Input(
            "cfg",
            optional=True,
            default=CFG,
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
