from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..host.degrade import residual_in_noise
from ..host.match import match_colors
from ..host.prompts import positive_or_empty
from ..host.restoration import Restoration, sample_posterior
from .choices import GUIDANCE, LEVELS, SAMPLERS, SCALES, Kind
from .inputs import (
    CFG,
    NOISE_STD,
    STEPS,
    TILE,
    color_input,
    combo_input,
    degradation_input,
    float_input,
    measurement_input,
    noise_std_input,
    positive_input,
    prompt_inputs,
    renoise_input,
    samples_input,
    sampling_steps_input,
    seed_input,
    tile_input,
    vae_input,
)
from .newer_hosts import advanced

RENOISE: dict[Kind, float] = {"pixel": 0.1, "latent": 0.3}
SCALE: dict[Kind, float] = {"pixel": 1.0, "latent": 0.1}


def sampling_inputs(kind: Kind) -> list[io.Input]:
    """Options of stage 2, in the order the nodes show them."""
    guidance = GUIDANCE.of(kind)
    span = 0.0, 100.0, 0.05 if kind == "pixel" else 0.01
    return [
        advanced(
            combo_input(
                "guidance",
                guidance.names,
                guidance.default,
                f"How samples are held to the measurement. Keep {guidance.default}. {guidance.tooltip()}",
            )
        ),
        advanced(float_input("guidance_scale", SCALE[kind], span, guidance.scale_tooltip())),
        advanced(combo_input("sampler", SAMPLERS.names, SAMPLERS.default, SAMPLERS.tooltip())),
        sampling_steps_input(),
    ]


def scale_input() -> io.Input:
    return advanced(combo_input("scale", SCALES.names, SCALES.default, f"How renoise is read. {SCALES.tooltip()}"))


def level_input() -> io.Input:
    return combo_input("level", LEVELS.names, LEVELS.default, f"How far to go. {LEVELS.tooltip()}")


def text_output() -> io.Output:
    return io.String.Output(
        "text", display_name="text", tooltip="Level, model calls and residual, for Preview as Text."
    )


def describe(restoration: Restoration, renoise: float, sigmas: list[float], image: Tensor) -> str:
    """Level, calls, and the residual of the worst image. image: IMAGE, the samples of each measurement in a row."""
    calls = len(sigmas) - 1
    text = f"renoise {renoise:g} (sigma {sigmas[0]:.3g}), {calls} model call{'s' * (calls != 1)} a sample"
    if restoration.noise_std == 0:
        return text
    measurement = restoration.measurement.repeat_interleave(len(image) // restoration.count, 0)
    _, residual = residual_in_noise(image, restoration.operator, measurement, restoration.noise_std)
    return f"{text}, residual {float(residual.max()):.2f} of the noise"


class RenoisedPosteriorSampling(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_RenoisedPosteriorSampling",
            display_name="Re-noised Posterior Sampling (MAP-RPS)",
            category="MAP-RPS",
            description="Stage 2 of MAP-RPS: adds noise to the MAP estimate up to a chosen level and samples the "
            "posterior from there. One slider between faithful (0) and sharp (1).",
            inputs=[
                io.Model.Input("model", tooltip="The model that made the estimate."),
                degradation_input(),
                measurement_input(),
                io.Image.Input("estimate", tooltip="From MAP Estimation, for the same measurement."),
                noise_std_input(),
                renoise_input(RENOISE["pixel"], "0.02 to 0.2 is the useful range"),
                *sampling_inputs("pixel"),
                samples_input(),
                seed_input(),
                positive_input(),
                scale_input(),
                level_input(),
                tile_input(),
            ],
            outputs=[
                io.Image.Output(
                    "image",
                    display_name="image",
                    tooltip="Samples in a row for each measurement; neither clamped nor rounded.",
                ),
                text_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        estimate,
        noise_std=NOISE_STD,
        renoise=RENOISE["pixel"],
        guidance=GUIDANCE.default,
        guidance_scale=SCALE["pixel"],
        sampler=SAMPLERS.default,
        steps=STEPS,
        samples=1,
        seed=0,
        positive=None,
        scale=SCALES.default,
        level=LEVELS.default,
        tile=TILE,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive=positive, tile=tile)
        renoise = LEVELS[level](restoration, estimate, renoise, SCALES[scale])
        solver, sigmas = SAMPLERS[sampler](restoration, renoise, steps, SCALES[scale])
        term = GUIDANCE.of("pixel")[guidance](guidance_scale)
        image = sample_posterior(restoration, estimate, sigmas, term, solver, samples).image
        text = describe(restoration, renoise, sigmas, image)
        return io.NodeOutput(image, text, ui={"text": (text,)})


class LatentRenoisedPosteriorSampling(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_LatentRenoisedPosteriorSampling",
            display_name="Latent Re-noised Posterior Sampling (MAP-RPS)",
            category="MAP-RPS",
            description="Stage 2 of LMAP-RPS: adds noise to the latent MAP estimate up to a chosen level and samples "
            "the posterior from there. One slider between faithful (0) and sharp (1).",
            inputs=[
                io.Model.Input("model", tooltip="The model that made the estimate."),
                vae_input(),
                degradation_input(),
                measurement_input(),
                io.Latent.Input("estimate", tooltip="From Latent MAP Estimation, for the same measurement."),
                noise_std_input(),
                renoise_input(RENOISE["latent"], "0.1 to 0.6 is the useful range; the paper takes 0.6 for SD1.5"),
                *prompt_inputs(),
                *sampling_inputs("latent"),
                samples_input(),
                color_input(),
                seed_input(),
                scale_input(),
                level_input(),
                tile_input(),
            ],
            outputs=[
                io.Latent.Output(
                    "sampled", display_name="samples", tooltip="Samples in a row for each measurement, as latents."
                ),
                io.Image.Output("image", display_name="image", tooltip="The same as pictures."),
                text_output(),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        vae,
        degradation,
        measurement,
        estimate,
        noise_std=NOISE_STD,
        renoise=RENOISE["latent"],
        positive=None,
        negative=None,
        cfg=CFG,
        clip=None,
        guidance=GUIDANCE.default,
        guidance_scale=SCALE["latent"],
        sampler=SAMPLERS.default,
        steps=STEPS,
        samples=1,
        keep_colors=True,
        seed=0,
        scale=SCALES.default,
        level=LEVELS.default,
        tile=TILE,
    ) -> io.NodeOutput:
        positive = positive_or_empty(positive, clip)
        restoration = Restoration(model, degradation, measurement, noise_std, seed, vae, positive, negative, cfg, tile)
        renoise = LEVELS[level](restoration, estimate["samples"], renoise, SCALES[scale])
        solver, sigmas = SAMPLERS[sampler](restoration, renoise, steps, SCALES[scale])
        term = GUIDANCE.of("latent")[guidance](guidance_scale)
        mask = estimate.get("noise_mask")
        restored = sample_posterior(restoration, estimate["samples"], sigmas, term, solver, samples, mask)
        image = match_colors(restored.image, restoration.problem(samples)) if keep_colors else restored.image
        text = describe(restoration, renoise, sigmas, image)
        return io.NodeOutput({"samples": restored.latents}, image, text, ui={"text": (text,)})
