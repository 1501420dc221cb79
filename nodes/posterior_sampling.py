from __future__ import annotations

from comfy_api.latest import io

from ..host.pixel import Restoration, sample_posterior
from .methods import GUIDANCE, SAMPLERS, guidance_term, sampler_and_sigmas
from .types import (
    degradation_input,
    measurement_input,
    noise_std_input,
    positive_input,
    renoise_input,
    samples_input,
    sampling_steps_input,
    seed_input,
)


def sampling_inputs() -> list[io.Input]:
    """Options of stage 2, in the order the nodes show them."""
    return [
        io.Combo.Input(
            "guidance",
            options=list(GUIDANCE),
            optional=True,
            default="proximal",
            tooltip="Keep proximal: it holds samples to the measurement without gradients, and fast. DPS: the paper's. "
            "PiGDM, MMPS: gradients through the model, MMPS the most exact and slowest. DMPS, DDNM+: no gradients.",
        ),
        io.Float.Input(
            "guidance_scale",
            optional=True,
            default=1.0,
            min=0.0,
            max=100.0,
            step=0.05,
            tooltip="Only for DPS and DMPS: their step size. The paper takes 1 for DPS, and 2 for deblurring.",
        ),
        io.Combo.Input(
            "sampler",
            options=list(SAMPLERS),
            optional=True,
            default="few steps",
            tooltip="few steps: a second-order solver with the number of steps below. every step (paper): the "
            "ancestral steps of the model's whole schedule below the re-noise level, up to 1000 calls; steps has no "
            "effect then.",
        ),
        sampling_steps_input(),
    ]


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
                renoise_input(default=0.1, useful="0.02 to 0.2 is the useful range"),
                *sampling_inputs(),
                samples_input(),
                seed_input(),
                positive_input(),
            ],
            outputs=[
                io.Image.Output(
                    "image",
                    display_name="image",
                    tooltip="Samples in a row for each measurement; neither clamped nor rounded.",
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        estimate,
        noise_std=0.05,
        renoise=0.1,
        guidance="proximal",
        guidance_scale=1.0,
        sampler="few steps",
        steps=16,
        samples=1,
        seed=0,
        positive=None,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive)
        solver, sigmas = sampler_and_sigmas(sampler, model, renoise, steps)
        term = guidance_term(guidance, guidance_scale)
        return io.NodeOutput(sample_posterior(restoration, estimate, sigmas, term, solver, samples))
