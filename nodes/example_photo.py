from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from comfy_api.latest import io, ui
from PIL import Image

FOLDER = Path(__file__).parent.parent / "workflows" / "photos"
CREDITS = {  # as in LICENSES.md beside them
    "dahlia": "Dahlia, by vultilion, CC BY 2.0",
    "coffee": "Coffee cup, by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0 1.0",
    "coffee_holes": "Coffee cup with strokes painted out, by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0 1.0",
    "pagoda": "Tower at the Summer Palace, Beijing, by danielbuechele, CC BY 2.0",
    "rocket": "Falcon 9 before launch, by SpaceX, public domain",
    "cat": "Chelsea the cat, by Stefan van der Walt, CC0 1.0",
    "astronaut": "Eileen Collins, by NASA, public domain",
}


class ExamplePhoto(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_ExamplePhoto",
            display_name="Example Photo (MAP-RPS)",
            category="MAP-RPS",
            description="A photo that comes with the pack, to try the nodes with. For a photo of your own put Load "
            "Image in its place.",
            inputs=[
                io.Combo.Input(
                    "photo",
                    options=list(CREDITS),
                    default="dahlia",
                    tooltip="coffee_holes has a mask: the strokes that are painted out.",
                ),
            ],
            outputs=[
                io.Image.Output(tooltip="The photo, whole also where the mask is 1."),
                io.Mask.Output(tooltip="1 (white) where the photo is painted out; for Inpainting."),
                io.String.Output("credit", display_name="credit", tooltip="Title, author and license."),
            ],
        )

    @classmethod
    def execute(cls, photo: str) -> io.NodeOutput:
        with Image.open(FOLDER / f"{photo}.png") as file:
            pixels = torch.from_numpy(np.asarray(file.convert("RGBA")) / np.float32(255))[None]
        image, mask = pixels[..., :3].contiguous(), 1 - pixels[..., 3]
        shown = torch.where(mask[..., None] > 0.5, 1.0, image)
        preview = ui.PreviewImage(shown).as_dict() | {"text": (CREDITS[photo],)}
        return io.NodeOutput(image, mask, CREDITS[photo], ui=preview)
