from __future__ import annotations

from comfy_api.latest import io

from ..host.latent import LatentRestoration, sample_latent_posterior
from ..host.match import match_colors
from .latent_inputs import color_input, model_input, prompt_inputs, vae_input
from .methods import LATENT_GUIDANCE, SAMPLERS, guidance_term, sampler_and_sigmas
from .types import (
    degradation_input,
    measurement_input,
    noise_std_input,
    renoise_input,
    samples_input,
    sampling_steps_input,
    seed_input,
)


def latent_guidance_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "guidance",
            options=list(LATENT_GUIDANCE),
            optional=True,
            default="proximal",
            tooltip="Keep proximal: it holds samples to the measurement through the VAE's decoder alone, without "
            "gradients through the model. latent DPS: the paper's. DPS, PSLD, LDIR: gradients through model and "
            "decoder, for every step (paper). DCDP: a few optimizer steps through the decoder. MMPS: the most exact "
            "and slowest.",
        ),
        io.Float.Input(
            "guidance_scale",
            optional=True,
            default=0.1,
            min=0.0,
            max=100.0,
            step=0.01,
            tooltip="Only for latent DPS, DPS, PSLD and LDIR: their step size. The paper's, for SD1.5: 0.01 for "
            "inpainting, 0.1 super-resolution and deblurring, 0.5 HDR, 1.5 compressed sensing and nonlinear blur.",
        ),
    ]


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
                model_input(),
                vae_input(),
                degradation_input(),
                measurement_input(),
                io.Latent.Input("estimate", tooltip="From Latent MAP Estimation, for the same measurement."),
                noise_std_input(),
                renoise_input(
                    default=0.3,
                    useful="0.1 to 0.6 is the useful range; the paper takes 0.6 for SD1.5",
                ),
                *prompt_inputs(),
                *latent_guidance_inputs(),
                io.Combo.Input(
                    "sampler",
                    options=list(SAMPLERS),
                    optional=True,
                    default="few steps",
                    tooltip="few steps: a second-order solver with the number of steps below. every step (paper): the "
                    "ancestral steps of the model's whole schedule below the re-noise level, up to 1000 calls; steps "
                    "has no effect then.",
                ),
                sampling_steps_input(),
                samples_input(),
                color_input(),
                seed_input(),
            ],
            outputs=[
                io.Latent.Output(
                    "sampled", display_name="samples", tooltip="Samples in a row for each measurement, as latents."
                ),
                io.Image.Output("image", display_name="image", tooltip="The same as pictures."),
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
        noise_std=0.05,
        renoise=0.3,
        positive=None,
        negative=None,
        cfg=1.0,
        guidance="proximal",
        guidance_scale=0.1,
        sampler="few steps",
        steps=16,
        samples=1,
        keep_colors=True,
        seed=0,
    ) -> io.NodeOutput:
        restoration = LatentRestoration(model, vae, degradation, measurement, noise_std, seed, positive, negative, cfg)
        solver, sigmas = sampler_and_sigmas(sampler, model, renoise, steps)
        term = guidance_term(guidance, guidance_scale)
        restored = sample_latent_posterior(restoration, estimate["samples"], sigmas, term, solver, samples)
        image = match_colors(restored.image, degradation, measurement, noise_std) if keep_colors else restored.image
        return io.NodeOutput({"samples": restored.latents}, image)
