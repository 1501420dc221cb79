"""The blur kernel of a photo, from the photo alone.

Of no blur, a Gaussian, a disk, a straight motion and a bent one, that which explains the spectra of the photo's patches
best (`patch_spectra`), unless a simpler one does nearly as well. Which way round a bent path is, spectra do not tell:
that with which the photo is a sharp image of few edges (`few_edges`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..evaluation.quality import floating
from .blur_report import SHARP, describe_blur, extent
from .few_edges import edge_cost, gradient, periodic
from .noise_std import estimate_noise
from .patch_spectra import PatchSpectra
from .shape_search import GO_ON, Fit, Shapes, ShapeSearch, best, search_steps

WINDOW = 512  # px of the photo, which bounds the time
SIDES = 32, 64, 128  # px of a patch: larger ones for large blurs, as small patches see them too small
WITHIN = 0.35  # length of a blur that a patch sees in full, over its side
FLAT = 1e-4  # root mean square of the gradient; a tenth of what rounding to 8 bits makes
ROUNDED = 0.0006  # std of what 8 bits round off, in the mean of three channels
STANDS_OUT = 1.5  # the photo's variance over that of its noise
MORE, LEAST = 0.2, 40.0  # what a bent path must explain beyond a plain shape: part of what that explains, and evidence
TELLS = 96  # px of a photo: a smaller one has too few patches for a path of many numbers
EDGES_WINDOW = 256  # px of the photo, for the cost of edges
EDGES = 20.0  # evidence of a patch in the logarithm of that cost
WORSE = 1.18  # that cost over the one for no blur, above which a blur is none; true ones have up to 1.13
EDGE_COSTS = 2 * GO_ON + 3  # that are computed: of paths both ways round; then of none, a path and a plain shape
POINTED = 0.8  # maximum of a kernel over its norm: its likeness to a point, above which it is none

NO_EDGES = "No edges stand out in the photo, and a blur shows on edges only: use another part of it, or another photo."


class BlurEstimate(NamedTuple):
    """kernel: [n, n], n odd, float32, sums to one, its mean in the middle. text: what it looks like, its limits."""

    kernel: Tensor
    text: str


def estimate_blur(
    photo: Tensor, size: int = 31, report: Callable[[int, int], None] = lambda step, total: None
) -> BlurEstimate:
    """photo: IMAGE [1, H, W, C]. size: px that the kernel has room in, odd. report(step, total) is called on the way.

    Raises ValueError for several photos, and for one without edges or less than twice as large as the kernel.
    """
    if len(photo) != 1:
        raise ValueError(f"There are {len(photo)} photos, and each has its own blur: connect one of them.")
    height, width = photo.shape[1:3]
    if min(height, width) < 2 * size:
        raise ValueError(
            f"The photo is {width}x{height} pixels, too small to find a kernel of {size}: use a smaller size, "
            "or more of the photo."
        )
    with torch.inference_mode(False), torch.no_grad():
        middle = floating(photo[:, _middle(height)][:, :, _middle(width)].clone()).double().cpu()
        plane = middle[0].mean(-1)
        contrast = torch.cat([plane.diff(dim=0).flatten(), plane.diff(dim=1).flatten()]).square().mean().mul(2).sqrt()
        if contrast < FLAT:
            raise ValueError(NO_EDGES)
        noise_std = max(estimate_noise(middle.mean(-1, keepdim=True)).noise_std, ROUNDED)
        if plane.var() < STANDS_OUT * noise_std**2:
            raise ValueError(NO_EDGES)
        shapes, fit = find_shapes(plane, size, noise_std, report)
        kernel = fit.draw(fit.numbers, size)
        return BlurEstimate(kernel.float(), describe_blur(kernel, fit, shapes))


def find_shapes(plane: Tensor, size: int, noise_std: float, report: Callable[[int, int], None]) -> tuple[Shapes, Fit]:
    """With patches as large as it takes; and which of the shapes it is."""
    sides = [side for side in SIDES if side == SIDES[0] or size > WITHIN * side / 2]
    total, done = len(sides) * (search_steps(size) + EDGE_COSTS), 0

    def step() -> None:
        nonlocal done
        done += 1
        report(done, total)

    edges = EdgeCost(plane, size, step)
    for side in sides:
        spectra = PatchSpectra(plane, min(side, min(plane.shape) // 2 * 2))
        shapes, paths = ShapeSearch(spectra, size, (ROUNDED, noise_std), step).run()
        shapes = shapes._replace(path=right_path(paths, edges, len(spectra.power)))
        fit = chosen(shapes, edges, min(plane.shape) >= TELLS)
        if 12**0.5 * extent(fit.draw(fit.numbers, size))[0] <= WITHIN * side:
            break
    if done < total:
        report(total, total)
    return shapes, fit


class EdgeCost:
    """plane: [H, W]. Of a shape of [size, size]: `edge_cost` in the middle of the plane, and step() after it."""

    def __init__(self, plane: Tensor, size: int, step: Callable[[], None]):
        self.step = step
        height, width = plane.shape
        self.y, self.size = periodic(plane[_middle(height, EDGES_WINDOW), _middle(width, EDGES_WINDOW)], size), size
        self.y = self.y / torch.stack(gradient(self.y)).square().sum(0).mean().sqrt().clamp_min(FLAT)

    def __call__(self, fit: Fit) -> float:
        cost = edge_cost(self.y, fit.draw(fit.numbers, self.size))
        self.step()
        return cost


def right_path(paths: list[Fit], edges: EdgeCost, patches: int) -> Fit:
    """Of paths that spectra hardly tell apart, and each both ways round, that which leaves the sharpest edges."""
    both = [*paths, *(fit._replace(numbers=-fit.numbers) for fit in paths)]
    return max(both, key=lambda fit: fit.evidence - EDGES * patches * math.log(max(edges(fit), FLAT)))


def chosen(shapes: Shapes, edges: EdgeCost, bends: bool) -> Fit:
    """No blur, where what explains the spectra is no wider than in sharp photos, or makes edges of what are none.

    bends: whether it may be a bent path.
    """
    none = shapes.none.evidence
    plain = best((shapes.gaussian, shapes.disk, shapes.line))
    more = LEAST + MORE * max(plain.evidence - none, 0) if bends else math.inf
    sharp, *costs = (edges(fit) for fit in (shapes.none, shapes.path, plain))
    for fit, cost, least in zip((shapes.path, plain), costs, (plain.evidence + more, none), strict=True):
        kernel = fit.draw(fit.numbers, edges.size)
        wide = extent(kernel)[0] >= SHARP and kernel.max() <= POINTED * kernel.norm()
        if wide and fit.evidence > max(least, none + LEAST) and cost < WORSE * sharp:
            return fit
    return shapes.none


def _middle(length: int, window: int = WINDOW) -> slice:
    return slice(max(0, (length - window) // 2), (length + window) // 2)
