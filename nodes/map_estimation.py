from __future__ import annotations

from comfy_api.latest import io

from ..host.match import match_colors
from ..host.prompts import positive_or_empty
from ..host.restoration import Restoration, estimate_map
from ..solvers.map_estimation import Estimate
from .choices import METHODS, Kind, method_named
from .inputs import (
    CFG,
    NOISE_STD,
    TILE,
    color_input,
    combo_input,
    degradation_input,
    int_input,
    measurement_input,
    noise_std_input,
    positive_input,
    prompt_inputs,
    seed_input,
    tile_input,
    vae_input,
)
from .newer_hosts import advanced

LEAST_NOISE_STD = 0.002  # rounding to 8 bits makes half of that
TOO_LARGE, TOO_SMALL = 0.38, 1.3
"""Residuals in units of the noise that say so of noise_std. The right one gives 0.4 to 1, the least for a photo shrunk
by little, three times as much 0.35 to 1, and half as much 0.5 to 2, the latter for a blur."""


def method_inputs(kind: Kind) -> list[io.Input]:
    methods = METHODS.of(kind)
    return [
        advanced(combo_input("method", methods.names, methods.default, f"Keep {methods.default}. {methods.tooltip()}")),
        advanced(int_input("steps", 0, (0, 2000), "At most this many model calls; 0: the method's own number.")),
    ]


def drawing_seed_input() -> io.Input:
    return seed_input("Only the paper methods draw noise; the others ignore it.", control_after_generate=False)


def report_output() -> io.Output:
    return io.String.Output(
        "text", display_name="text", tooltip="Model calls, residual and last change, for Preview as Text."
    )


def describe(report: Estimate) -> str:
    """Calls, residual and change of a MAP estimate, worst image of the batch."""
    calls = f"{report.calls} model call{'s' * (report.calls != 1)}"
    return (
        f"{calls}, residual {float(report.residual.max()):.2f} of the noise, "
        f"last change {float(report.change.max()):.1e}"
    )


def advise(report: Estimate, noise_std: float) -> str:
    """The same, and what the residual says of noise_std where it is far from what is right."""
    residual = float(report.residual.max())
    better = f"{max(residual * noise_std, LEAST_NOISE_STD):.2g}"
    text = describe(report)
    if residual < TOO_LARGE and noise_std > LEAST_NOISE_STD:
        return f"{text}: there is less noise, set noise_std near {better}"
    if residual > TOO_SMALL:
        return f"{text}: there is more noise, set noise_std near {better}; or another damage, or a VAE keeps no more"
    return text


class MAPEstimation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_MAPEstimation",
            display_name="MAP Estimation (MAP-RPS)",
            category="MAP-RPS",
            description="Stage 1 of MAP-RPS: the most probable image given the measurement. Faithful, with little "
            "distortion; smooth where the measurement does not say. Feed it to Re-noised Posterior Sampling to "
            "sharpen.",
            inputs=[
                io.Model.Input("model", tooltip="A pixel-space diffusion model, from Load Pixel Model (MAP-RPS)."),
                degradation_input(),
                measurement_input(),
                noise_std_input(),
                *method_inputs("pixel"),
                drawing_seed_input(),
                positive_input(),
                tile_input(),
            ],
            outputs=[
                io.Image.Output(
                    "estimate", display_name="estimate", tooltip="Neither clamped nor rounded; saving clamps it."
                ),
                report_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        noise_std=NOISE_STD,
        method=METHODS.default,
        steps=0,
        seed=0,
        positive=None,
        tile=TILE,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive=positive, tile=tile)
        restored, report = estimate_map(restoration, method_named(method, "pixel", steps))
        text = advise(report, noise_std)
        return io.NodeOutput(restored.image, text, ui={"text": (text,)})


class LatentMAPEstimation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_LatentMAPEstimation",
            display_name="Latent MAP Estimation (MAP-RPS)",
            category="MAP-RPS",
            description="Stage 1 of LMAP-RPS, for latent models such as Stable Diffusion: the most probable image "
            "given the measurement. Faithful and smooth. Feed it to Latent Re-noised Posterior Sampling to sharpen.",
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="A latent diffusion model: Stable Diffusion and the like, with LoRA and patches as you "
                    "need.",
                ),
                vae_input(),
                degradation_input(),
                measurement_input(),
                noise_std_input(),
                *prompt_inputs(),
                *method_inputs("latent"),
                color_input(),
                drawing_seed_input(),
                tile_input(),
            ],
            outputs=[
                io.Latent.Output(
                    "estimate", display_name="estimate", tooltip="For stage 2, or the host's VAE Decode and KSampler."
                ),
                io.Image.Output(
                    "image", display_name="image", tooltip="The same as a picture, of the size that was asked for."
                ),
                report_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        vae,
        degradation,
        measurement,
        noise_std=NOISE_STD,
        positive=None,
        negative=None,
        cfg=CFG,
        clip=None,
        method=METHODS.default,
        steps=0,
        keep_colors=True,
        seed=0,
        tile=TILE,
    ) -> io.NodeOutput:
        positive = positive_or_empty(positive, clip)
        restoration = Restoration(model, degradation, measurement, noise_std, seed, vae, positive, negative, cfg, tile)
        restored, report = estimate_map(restoration, method_named(method, "latent", steps))
        image = match_colors(restored.image, restoration.problem()) if keep_colors else restored.image
        text = advise(report, noise_std)
        return io.NodeOutput({"samples": restored.latents}, image, text, ui={"text": (text,)})
