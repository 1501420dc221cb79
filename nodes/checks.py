"""Values are checked where they enter a node: a host may not check what a graph holds or what a link brings."""

from __future__ import annotations

from functools import wraps

import torch
from comfy_api.latest import io

from .choices import check_choice


def check_inputs(node: type[io.ComfyNode]) -> None:
    """Has the node refuse, before any work and in one sentence, what its schema does not offer: with ValueError."""
    execute = node.execute.__func__

    @wraps(execute)
    def checked(cls, *args, **given) -> io.NodeOutput:
        for input in cls.define_schema().inputs:
            if given.get(input.id) is not None:
                check(input, given[input.id])
            if isinstance(input, io.Image.Input) and given.get(input.id) is not None:
                given[input.id] = in_colors(given[input.id])
        return execute(cls, *args, **given)

    node.execute = classmethod(checked)


def check(input: io.Input, value) -> None:
    """Raises ValueError for a choice that is not there, a number out of range, NaN and infinity."""
    if isinstance(input, io.Combo.Input):
        check_choice(input.id, value, input.options)
    elif isinstance(input, (io.Float.Input, io.Int.Input)):
        if not input.min <= value <= input.max:
            raise ValueError(f"{input.id} is {value}: give a number from {input.min} to {input.max}.")
    elif isinstance(input, (io.Image.Input, io.Mask.Input, io.Latent.Input)):
        tensor = value["samples"] if isinstance(input, io.Latent.Input) else value
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{input.id} holds NaN or infinity: check the node that made it.")


def in_colors(image: torch.Tensor) -> torch.Tensor:
    """IMAGE [B, H, W, C] in float32, of 1 or 3 colors. Other nodes bring half precision, which the host does not save,
    and alpha as one channel more, which the host drops too."""
    channels = image.shape[-1]
    return image[..., : channels - 1 if channels in (2, 4) else channels].float()
