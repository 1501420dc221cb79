"""What a finished image takes back from the measurement: its colors, and pixels that were never missing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..linalg import cancel
from ..linalg.cosine_basis import CosineBasis
from ..linalg.stationary import Stationary
from ..operators import Degradation
from ..operators.inpainting import Mask
from ..solvers.problem import Problem, identity
from ..solvers.proximal import stationary_proximal
from .images import measured_channels, to_channels_first, to_image, to_model_units

COLOR_SHIFT = 0.2  # std of a shift of the whole image, in model units
COLOR_FREQUENCY = 2  # half periods over the longer side, beyond which shifts become rare
PASSES = 3
ITERATIONS = 6
"""For a shift. The first find what is wide; later ones would take detail, which is no white noise, for a shift."""


def match_colors(image: Tensor, problem: Problem) -> Tensor:
    """IMAGE with its lowest frequencies as the measurement has them, the rest as it was.

    A VAE shifts colors over wide areas. The shift is taken for Gaussian, of low frequencies, and its most probable
    value given the measurement is subtracted: what the measurement does not show, or noise hides, stays. problem: with
    one measurement for each image, whatever its decoder. Only for linear degradations; images of others are returned
    as they are.
    """
    if not problem.operator.linear:
        return image
    x = to_model_units(image).to(problem.measurement.device)
    basis = CosineBasis.of(x)
    power = COLOR_SHIFT**2 * basis.radius.numel() / (1 + (basis.radius / COLOR_FREQUENCY) ** 4)
    shift = Stationary(basis, power[None, None].to(x))
    pixels = replace(problem, decoder=identity, encoder=None)
    each = (replace(pixels, measurement=y) for y in problem.measurement.split(1))
    return to_image(torch.cat([_subtract_shift(one, x[i : i + 1], shift) for i, one in enumerate(each)]))


def _subtract_shift(problem: Problem, x: Tensor, shift: Stationary) -> Tensor:
    """Beside the shift, the image lacks and invents detail, which counts as noise: what remains of the residual.

    The first time, the shift is still in what remains.
    """
    corrected = x
    for _ in range(PASSES):
        rest = problem.residual(corrected).square().sum() / problem.operator.measured
        noisier = replace(problem, noise_std=max(problem.noise_std, float(rest.sqrt())))
        corrected = stationary_proximal(noisier, x, shift, ITERATIONS)
    return corrected


def keep_known(image: Tensor, degradation: Degradation, measurement: Tensor, feather: int) -> Tensor:
    """IMAGE with the pixels that a mask declares known as they were measured, blended over `feather` pixels inwards.

    Raises ValueError for a degradation that is no mask.
    """
    x = to_channels_first(image)
    height, width = x.shape[-2:]
    operator = degradation.build(3, height, width, x.device)
    if not isinstance(operator, Mask):
        raise ValueError(
            f"Known pixels can be kept where some are missing, but this degradation is {degradation.describe()}: use "
            "an inpainting node's, or switch keep_known off."
        )
    y = operator.keep(measured_channels(measurement, operator).to(x.device))
    y = y.repeat_interleave(len(x) // len(y), dim=0)
    known = operator.keep(torch.ones_like(x[:1]))
    weight = known * inward_ramp(known, feather)
    return (weight * y + (1 - weight) * x).movedim(1, -1).contiguous().to(image.device)


def inward_ramp(known: Tensor, feather: int) -> Tensor:
    """Rises from near 0 beside what is unknown to 1 at `feather` pixels from it. known: 0 or 1, [1, C, H, W]."""
    ramp = torch.zeros_like(known)
    eroded = known
    for _ in range(feather):
        cancel.ask()
        ramp += eroded / (feather + 1)
        eroded = (avg_pool2d(pad(eroded, (1, 1, 1, 1), mode="replicate"), 3, stride=1) > 1 - 1e-3).to(known)
    return ramp + eroded * (1 - feather / (feather + 1))
