"""The pack's own connection types, and inputs that several nodes share."""

from __future__ import annotations

from comfy_api.latest import io

DegradationType = io.Custom("DEGRADATION")

MAX_SEED = 2**64 - 1


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
        default=0.05,
        min=0.0,
        max=10.0,
        step=0.005,
        round=False,
        tooltip="How noisy the measurement is, as a standard deviation on the 0..1 scale: 0.01 looks clean, 0.05 "
        "visible, 0.1 strong. Use the same value at every node. Too small keeps noise as detail, too large smooths. "
        "Below 0.0005 counts as 0.0005.",
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
