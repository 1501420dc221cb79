from __future__ import annotations

from comfy_api.latest import io

from ..host.custom_sampling import PosteriorGuider, PosteriorSampler
from ..host.latent import LatentRestoration
from ..host.pixel import Restoration
from ..solvers.posterior_sampling import ancestral, dpm_solver
from .latent_inputs import prompt_inputs
from .methods import GUIDANCE, LATENT_GUIDANCE, guidance_term
from .types import degradation_input, measurement_input, noise_std_input

SOLVERS = {"second order": dpm_solver, "ancestral (paper)": ancestral}


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
        io.Combo.Input(
            "guidance",
            options=list(dict.fromkeys(GUIDANCE + LATENT_GUIDANCE)),
            optional=True,
            default="proximal",
            tooltip="As in the posterior sampling nodes: keep proximal, which needs no gradients through the model.",
        ),
        io.Float.Input(
            "guidance_scale",
            optional=True,
            default=1.0,
            min=0.0,
            max=100.0,
            step=0.01,
            tooltip="Only for guidance that has a step size.",
        ),
    ]


def restoration_of(model, vae, degradation, measurement, noise_std, positive=None, negative=None, cfg=1.0):
    if vae is None:
        return Restoration(model, degradation, measurement, noise_std, 0, positive)
    return LatentRestoration(model, vae, degradation, measurement, noise_std, 0, positive, negative, cfg)


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
                io.Combo.Input(
                    "solver",
                    options=list(SOLVERS),
                    optional=True,
                    default="second order",
                    tooltip="second order: right from about 16 sigmas on. ancestral: the paper's, for hundreds.",
                ),
            ],
            outputs=[io.Sampler.Output()],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        vae=None,
        noise_std=0.05,
        guidance="proximal",
        guidance_scale=1.0,
        solver="second order",
    ) -> io.NodeOutput:
        restoration = restoration_of(model, vae, degradation, measurement, noise_std)
        term = guidance_term(guidance, guidance_scale)
        return io.NodeOutput(PosteriorSampler(restoration, term, SOLVERS[solver]))


class PosteriorGuiderNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Guider",
            display_name="Posterior Guider (MAP-RPS)",
            category="MAP-RPS/custom sampling",
            description="A GUIDER for SamplerCustomAdvanced that holds any of the host's samplers to the measurement: "
            "where another guider says what the image is given the noise, this one says it given the measurement too.",
            inputs=[*problem_inputs(), *prompt_inputs(), *guidance_inputs()],
            outputs=[io.Guider.Output()],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        vae=None,
        noise_std=0.05,
        positive=None,
        negative=None,
        cfg=1.0,
        guidance="proximal",
        guidance_scale=1.0,
    ) -> io.NodeOutput:
        restoration = restoration_of(model, vae, degradation, measurement, noise_std, positive, negative, cfg)
        return io.NodeOutput(PosteriorGuider(restoration, guidance_term(guidance, guidance_scale)))
