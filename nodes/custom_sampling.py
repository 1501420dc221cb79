from __future__ import annotations

from comfy_api.latest import io

from ..host.custom_sampling import PosteriorGuider, PosteriorSampler
from ..host.prompts import positive_or_empty
from ..host.restoration import Restoration
from .choices import GUIDANCE, SOLVERS
from .inputs import (
    CFG,
    NOISE_STD,
    TILE,
    combo_input,
    degradation_input,
    float_input,
    measurement_input,
    noise_std_input,
    prompt_inputs,
    tile_input,
)
from .newer_hosts import advanced

SCALE = 1.0


def problem_inputs() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The model of the guider: pixel or latent."),
        degradation_input(),
        measurement_input(),
        io.Vae.Input("vae", optional=True, tooltip="The model's VAE, for a latent model. A pixel model needs none."),
        noise_std_input(),
    ]


def guidance_inputs() -> list[io.Input]:
    return [
        combo_input(
            "guidance",
            GUIDANCE.names,
            GUIDANCE.default,
            "As in the posterior sampling nodes: keep proximal, which needs no gradients through the model.",
        ),
        float_input("guidance_scale", SCALE, (0.0, 100.0, 0.01), "Only for guidance that has a step size."),
    ]


def frames_input() -> io.Input:
    return advanced(
        io.Boolean.Input(
            "frames",
            optional=True,
            default=False,
            tooltip="The measurements are frames of a clip: all get the noise of the first, so that it does not "
            "flicker.",
        )
    )


class PosteriorSamplerNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Sampler",
            display_name="Posterior Sampler (MAP-RPS)",
            category="MAP-RPS/custom sampling",
            description="Stage 2 as a SAMPLER for SamplerCustomAdvanced, with the guider, noise and sigmas of your "
            "choice. Give it the MAP estimate as latent_image, and sigmas that begin at the re-noise level (Basic "
            "Scheduler's denoise).",
            inputs=[
                *problem_inputs(),
                *guidance_inputs(),
                combo_input("solver", SOLVERS.names, SOLVERS.default, SOLVERS.tooltip()),
                tile_input(),
                frames_input(),
            ],
            outputs=[io.Sampler.Output(tooltip="For sampler of SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        vae=None,
        noise_std=NOISE_STD,
        guidance=GUIDANCE.default,
        guidance_scale=SCALE,
        solver=SOLVERS.default,
        tile=TILE,
        frames=False,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, 0, vae, tile=tile)
        return io.NodeOutput(PosteriorSampler(restoration, GUIDANCE[guidance](guidance_scale), SOLVERS[solver], frames))


class PosteriorGuiderNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Guider",
            display_name="Posterior Guider (MAP-RPS)",
            category="MAP-RPS/custom sampling",
            description="A GUIDER for SamplerCustomAdvanced that holds any of the host's samplers to the measurement: "
            "where another guider says what the image is given the noise, this one says it given the measurement too.",
            inputs=[*problem_inputs(), *prompt_inputs(), *guidance_inputs(), tile_input(), frames_input()],
            outputs=[io.Guider.Output(tooltip="For guider of SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        vae=None,
        noise_std=NOISE_STD,
        positive=None,
        negative=None,
        cfg=CFG,
        clip=None,
        guidance=GUIDANCE.default,
        guidance_scale=SCALE,
        tile=TILE,
        frames=False,
    ) -> io.NodeOutput:
        positive = positive_or_empty(positive, clip)
        restoration = Restoration(model, degradation, measurement, noise_std, 0, vae, positive, negative, cfg, tile)
        return io.NodeOutput(PosteriorGuider(restoration, GUIDANCE[guidance](guidance_scale), frames))
