from __future__ import annotations

from comfy_api.latest import io

from ...operators.presets import PRESETS
from ..inputs import CATEGORY, combo_input, degradation_output, seed_input

FIRST = next(iter(PRESETS))


class DegradationPreset(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_DegradationPreset",
            display_name="Degradation Preset (MAP-RPS)",
            category=CATEGORY,
            description="The degradation and the noise of a published experiment, by name: DPS, DAPS, DDRM, DDNM, "
            "MAP-RPS. The text says where they come from and what differs here.",
            inputs=[
                combo_input("preset", PRESETS, FIRST, "Whose experiment, and which."),
                seed_input("Of the random part of some: masks, motion, compressed sensing.", False),
            ],
            outputs=[
                degradation_output(),
                io.Float.Output(
                    "noise_std",
                    display_name="noise_std",
                    tooltip="The published noise on the 0..1 scale: connect it to noise_std of all other nodes.",
                ),
                io.String.Output(
                    "text", display_name="text", tooltip="Source, units and what differs, for Preview as Text."
                ),
            ],
        )

    @classmethod
    def execute(cls, preset: str = FIRST, seed: int = 0) -> io.NodeOutput:
        chosen = PRESETS[preset].seeded(seed)
        text = chosen.describe()
        return io.NodeOutput(chosen.degradation, chosen.noise_std, text, ui={"text": (text,)})
