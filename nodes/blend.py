from __future__ import annotations

from comfy_api.latest import io

from .inputs import float_input


class Blend(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Blend",
            display_name="Blend (MAP-RPS)",
            category="MAP-RPS",
            description="Between the MAP estimate and a posterior sample: estimate + amount x (sample - estimate). "
            "With a full sample (renoise 1) it is as good as a low renoise level in many cases, and instant.",
            inputs=[
                io.Image.Input("estimate", tooltip="From MAP Estimation."),
                io.Image.Input("sample", tooltip="From Re-noised Posterior Sampling, one or several per estimate."),
                float_input(
                    "amount",
                    0.5,
                    (0.0, 1.0, 0.01),
                    "0 is the estimate, 1 the sample. 0.3 to 0.7 is as good as a low renoise level in many "
                    "cases, and instant to change.",
                    display_mode=io.NumberDisplay.slider,
                ),
            ],
            outputs=[io.Image.Output(tooltip="One image for each sample.")],
        )

    @classmethod
    def execute(cls, estimate, sample, amount=0.5) -> io.NodeOutput:
        if len(sample) % len(estimate) or sample.shape[1:] != estimate.shape[1:]:
            raise ValueError(
                f"The estimate is {tuple(estimate.shape)} and the sample {tuple(sample.shape)}: connect a sample that "
                "was made from this estimate."
            )
        estimate = estimate.repeat_interleave(len(sample) // len(estimate), dim=0)
        return io.NodeOutput(estimate + amount * (sample - estimate))
