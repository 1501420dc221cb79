from __future__ import annotations

from comfy_api.latest import io

from ..host.latent import LatentRestoration, estimate_latent_map
from ..host.match import match_colors
from .latent_inputs import color_input, model_input, prompt_inputs, vae_input
from .methods import LATENT_METHODS, with_steps
from .report import describe_estimate
from .types import degradation_input, measurement_input, noise_std_input, seed_input


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
                model_input(),
                vae_input(),
                degradation_input(),
                measurement_input(),
                noise_std_input(),
                *prompt_inputs(),
                io.Combo.Input(
                    "method",
                    options=list(LATENT_METHODS),
                    optional=True,
                    default="fast",
                    tooltip=f"Keep fast: at most {LATENT_METHODS['fast'].steps} model calls. paper: the published "
                    "optimizer with the weight its theory gives; the entries after it are the settings of the authors' "
                    "code for each model and task, 60 to 500 calls.",
                ),
                io.Int.Input(
                    "steps",
                    optional=True,
                    default=0,
                    min=0,
                    max=2000,
                    tooltip="At most this many model calls; 0: the method's own number.",
                ),
                color_input(),
                seed_input("Only the paper methods draw noise; fast ignores it.", control_after_generate=False),
            ],
            outputs=[
                io.Latent.Output(
                    "estimate", display_name="estimate", tooltip="For stage 2, or the host's VAE Decode and KSampler."
                ),
                io.Image.Output(
                    "image", display_name="image", tooltip="The same as a picture, of the size that was asked for."
                ),
                io.String.Output(
                    "text", display_name="text", tooltip="Model calls, residual and last change, for Preview as Text."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        vae,
        degradation,
        measurement,
        noise_std=0.05,
        positive=None,
        negative=None,
        cfg=1.0,
        method="fast",
        steps=0,
        keep_colors=True,
        seed=0,
    ) -> io.NodeOutput:
        restoration = LatentRestoration(model, vae, degradation, measurement, noise_std, seed, positive, negative, cfg)
        restored, report = estimate_latent_map(restoration, with_steps(LATENT_METHODS[method], steps))
        image = match_colors(restored.image, degradation, measurement, noise_std) if keep_colors else restored.image
        text = describe_estimate(report)
        return io.NodeOutput({"samples": restored.latents}, image, text, ui={"text": (text,)})
