"""What a degradation does to an image, in numbers and as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import comfy.model_management
from torch import Tensor

from ..linalg.svd import RCOND
from ..operators import Degradation, LinearOperator, Operator
from ..operators.spectrum import WEAK, spectrum, unseen
from .images import to_channels_first


@dataclass(frozen=True)
class Info:
    """unseen: IMAGE [1, H, W, C], the part of the image that the measurement does not tell."""

    text: str
    unseen: Tensor


def inspect(degradation: Degradation, image: Tensor) -> Info:
    """image: IMAGE, of which the first is taken."""
    x = to_channels_first(image[:1]).to(comfy.model_management.get_torch_device())
    _, channels, height, width = x.shape
    operator = degradation.build(channels, height, width, x.device)
    lines = [degradation.describe(), *sizes(operator)]
    if isinstance(operator, LinearOperator):
        numbers, lost = spectrum(operator), unseen(operator, x)
        if numbers is None:
            lines += [
                "rank and conditioning: not computed, there is no closed form",
                f"norm (largest singular value): {operator.norm:.4g}",
                f"unseen: what is made weaker than {WEAK:.0%} of that",
            ]
        else:
            lines += [
                f"rank: {numbers.rank} of {math.prod(operator.image_shape)}, above {RCOND:g} of the norm",
                f"norm (largest singular value): {numbers.norm:.4g}",
                f"conditioning (largest over smallest nonzero): {numbers.condition:.4g}",
                "unseen: the null space's part of the image, x - A^+ A x",
            ]
    else:
        lost = x - operator.initial_guess(operator(x))
        lines += [
            "not linear: it has no rank and no conditioning",
            "unseen: the image less the first guess made from its measurement",
        ]
    part = float(lost.norm() / x.norm()) if x.any() else 0.0  # nothing is lost of a black image
    lines.append(f"unseen part of this image: {part:.1%}")
    return Info("\n".join(lines), lost.movedim(1, -1).cpu())


def sizes(operator: Operator) -> list[str]:
    (channels, height, width), (c, h, w) = operator.image_shape, operator.measurement_shape
    return [
        f"image: {width}x{height}, {channels} channels, {channels * height * width} numbers",
        f"measurement: {w}x{h}, {c} channel{'s' if c > 1 else ''}, {operator.measured} numbers measured",
    ]
