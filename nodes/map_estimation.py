from __future__ import annotations

from comfy_api.latest import io

from ..host.pixel import Restoration, estimate_map
from .methods import MAP_METHODS, with_steps
from .report import describe_estimate
from .types import degradation_input, measurement_input, noise_std_input, positive_input, seed_input

OWN_STEPS = ", ".join(f"{name} {MAP_METHODS[name].steps}" for name in ("fast", "accurate", "paper"))


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
                io.Combo.Input(
                    "method",
                    options=list(MAP_METHODS),
                    optional=True,
                    default="fast",
                    tooltip=f"Keep fast: at most {MAP_METHODS['fast'].steps} model calls, good everywhere. accurate: "
                    "accelerated to convergence, for models close to linear. paper: the published optimizer with the "
                    "weight its theory gives; the entries after it are the settings of the authors' code for each "
                    "task, 60 to 400 calls.",
                ),
                io.Int.Input(
                    "steps",
                    optional=True,
                    default=0,
                    min=0,
                    max=2000,
                    tooltip=f"At most this many model calls; 0: the method's own number ({OWN_STEPS}).",
                ),
                seed_input("Only the paper methods draw noise; the others ignore it.", control_after_generate=False),
                positive_input(),
            ],
            outputs=[
                io.Image.Output(
                    "estimate", display_name="estimate", tooltip="Neither clamped nor rounded; saving clamps it."
                ),
                io.String.Output(
                    "text", display_name="text", tooltip="Model calls, residual and last change, for Preview as Text."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, degradation, measurement, noise_std=0.05, method="fast", steps=0, seed=0, positive=None
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive)
        image, report = estimate_map(restoration, with_steps(MAP_METHODS[method], steps))
        text = describe_estimate(report)
        return io.NodeOutput(image, text, ui={"text": (text,)})
