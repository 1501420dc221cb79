"""Every degradation in examples: what the laws are tested on, and what the help pages' pictures show.

A new degradation needs one Example here, for every law to be tested: a linear one in MASKS, UNMASKED or, where its
`solve` iterates, ITERATED, any other in NONLINEAR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from maprps.operators import Degradation
from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.bayer import PATTERNS, BayerMosaic
from maprps.operators.bkse import BKSE
from maprps.operators.blur import GaussianBlur
from maprps.operators.boundary import BOUNDARIES
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.clipped import Clipped
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import BLOCKS, CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.jpeg import JPEG
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.nonlinear_blur import NonlinearBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.quantization import Quantization
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.released_inpainting import ReleasedInpainting
from maprps.operators.resampling import KERNELS, SuperResolution
from maprps.operators.space_varying_blur import SpaceVaryingBlur
from maprps.operators.stack import Stack

SIZE = (72, 128)  # height and width of the images that `settings` are for
SMALL = (20, 27)  # and `small`


class Between(NamedTuple):
    """Any number from `low` to `high`."""

    low: float
    high: float


class Picture(NamedTuple):
    """On the help page MAPRPS_`page`: a photo of workflows/photos, damaged and made noisy."""

    page: str
    photo: str
    degradation: Degradation
    noise_std: float


@dataclass(frozen=True, eq=False)
class Example:
    """A degradation, or those of its settings that are solved in one way.

    settings: some that matter, for images of SIZE.
    drawn: what each setting can be: one of a sequence, or anything between two numbers, or what can be drawn of other
    examples. From it are made the many cases of the laws of linear operators.
    make: makes a degradation of drawn settings, if not its class. fits: only for the image size, which it is given.
    channels: how many it needs, where any number will not do.
    closed_form: whether `solve` takes no iterations; for a linear one.
    small: where it does, some for images of SMALL, on which thousands of iterations take little time.
    described: more of them, which are told apart but not built.
    """

    kind: type[Degradation]
    settings: Sequence[Degradation]
    drawn: Mapping[str, Sequence | Between] = field(default_factory=dict)
    make: Callable[..., Degradation] | None = None
    fits: bool = False
    channels: int | None = None
    closed_form: bool = True
    small: Sequence[Degradation] = ()
    described: Sequence[Degradation] = ()
    picture: Picture | None = None

    def __str__(self) -> str:
        return self.kind.__name__


def random_mask(height: int, width: int, seed: int = 0, missing: float = 0.5) -> Inpainting:
    mask = np.random.default_rng(seed).random((height, width)) < missing
    mask[height // 2, width // 2] = False
    return Inpainting.from_mask(mask)


def random_kernel(height: int, width: int, seed: int = 0, boundary: str = "reflect") -> KernelBlur:
    return KernelBlur.from_array(np.random.default_rng(seed).random((height, width)) ** 4, boundary)


def ring(size: int) -> torch.Tensor:
    """A thin ring, as a mirror lens makes it: [size, size]."""
    offsets = torch.arange(size) - size // 2
    radius = torch.hypot(offsets[:, None].double(), offsets.double())
    return (1 - (radius - 0.75 * (size // 2)).abs() / 2).clamp_min(0)


CIRCULAR = ("circular",)
OTHERS = tuple(boundary for boundary in BOUNDARIES if boundary != "circular")

ODD, SIDES, SEEDS = range(1, 42, 2), range(1, 21), range(100)
SIGMA = Between(0.3, 8.0)
ELLIPSES = {"size": ODD, "sigma_x": SIGMA, "sigma_y": SIGMA, "angle": Between(1.0, 89.0)}
MOTIONS = {"length": Between(0.0, 30.0), "angle": Between(-180.0, 180.0), "intensity": Between(0.0, 1.0), "seed": SEEDS}
ANY_KERNEL = {"height": SIDES, "width": SIDES, "seed": SEEDS}

SOME_GAUSSIAN, SOME_MASK = GaussianBlur(25, 2.5), random_mask(9, 7)

MASK = Example(
    Inpainting,
    [random_mask(*SIZE)],
    {"seed": range(10), "missing": Between(0.0, 1.0)},
    make=random_mask,
    fits=True,
    described=[SOME_MASK, Inpainting.from_mask(~SOME_MASK.missing()), Inpainting.from_mask(SOME_MASK.missing().T)],
)
MASKS = (
    MASK,
    Example(
        BoxInpainting,
        [BoxInpainting()],
        {"width": Between(0.0, 0.9), "height": Between(0.0, 1.0)},
        described=[BoxInpainting(4, 5, 1, unit="pixels")],
        picture=Picture("BoxInpainting", "astronaut", BoxInpainting(), 0.01),
    ),
    Example(
        RandomInpainting,
        [RandomInpainting(), RandomInpainting(per_channel=True)],
        {"fraction": Between(0.0, 0.99), "seed": SEEDS, "per_channel": (False, True)},
        picture=Picture("RandomInpainting", "cat", RandomInpainting(), 0.01),
    ),
    Example(ReleasedInpainting, [ReleasedInpainting()], {"seed": SEEDS}, described=[ReleasedInpainting(1)]),
)
SEPARABLE = (
    Example(
        GaussianBlur,
        [GaussianBlur(boundary=boundary) for boundary in BOUNDARIES],
        {"size": ODD, "sigma": SIGMA, "boundary": BOUNDARIES},
        described=[GaussianBlur(9, 1.5, "zero")],
        picture=Picture("GaussianBlur", "pagoda", SOME_GAUSSIAN, 0.02),
    ),
    Example(
        AnisotropicGaussianBlur,
        [AnisotropicGaussianBlur()],
        {**ELLIPSES, "angle": (0.0, 90.0, 180.0), "boundary": BOUNDARIES},
    ),
)
SHRUNK = Example(
    SuperResolution,
    [SuperResolution(4, kernel) for kernel in KERNELS],
    {"factor": range(2, 17), "kernel": tuple(KERNELS)},
    described=[SuperResolution(2, "lanczos")],
    picture=Picture("SuperResolution", "cat", SuperResolution(4), 0.02),
)
SENSED = Example(
    CompressedSensing,
    [CompressedSensing(), CompressedSensing(4.0, 16, "first")],
    {"ratio": Between(1.0, 16.0), "block": BLOCKS, "rows": ("random", "first"), "seed": SEEDS},
    picture=Picture("CompressedSensing", "rocket", CompressedSensing(block=32), 0.01),
)
UNMASKED = (
    Example(Denoising, [Denoising()], picture=Picture("Denoising", "rocket", Denoising(), 0.1)),
    SHRUNK,
    *SEPARABLE,
    Example(
        AnisotropicGaussianBlur,
        [AnisotropicGaussianBlur(25, 5.0, 1.0, 30.0, "circular")],
        {**ELLIPSES, "boundary": CIRCULAR},
    ),
    Example(MotionBlur, [MotionBlur(boundary="circular")], {**MOTIONS, "boundary": CIRCULAR}),
    Example(KernelBlur, [random_kernel(9, 6, 0, "circular")], {**ANY_KERNEL, "boundary": CIRCULAR}, make=random_kernel),
    SENSED,
    Example(
        Colorization,
        [Colorization(), Colorization("luma")],
        {"weights": ("mean", "luma")},
        channels=3,
        picture=Picture("Colorization", "dahlia", Colorization(), 0.01),
    ),
    Example(
        BayerMosaic,
        [BayerMosaic(pattern) for pattern in PATTERNS],
        {"pattern": PATTERNS},
        channels=3,
        picture=Picture("BayerMosaic", "dahlia", BayerMosaic(), 0.01),
    ),
)
ITERATED = (
    Example(
        AnisotropicGaussianBlur,
        [AnisotropicGaussianBlur(25, 5.0, 1.0, 30.0, boundary) for boundary in OTHERS],
        {**ELLIPSES, "boundary": OTHERS},
        closed_form=False,
        small=[AnisotropicGaussianBlur(9, 2.0, 1.0, 30.0, boundary) for boundary in BOUNDARIES],
        described=[AnisotropicGaussianBlur(angle=30.0)],
        picture=Picture("AnisotropicBlur", "dahlia", AnisotropicGaussianBlur(angle=30.0), 0.02),
    ),
    Example(
        MotionBlur,
        [MotionBlur(boundary=boundary) for boundary in OTHERS],
        {**MOTIONS, "boundary": OTHERS},
        closed_form=False,
        small=[MotionBlur(10.0, boundary=boundary) for boundary in BOUNDARIES],
        described=[MotionBlur(seed=1)],
        picture=Picture("MotionBlur", "astronaut", MotionBlur(seed=3), 0.02),
    ),
    Example(
        KernelBlur,
        [random_kernel(9, 6)],
        {**ANY_KERNEL, "boundary": OTHERS},
        make=random_kernel,
        closed_form=False,
        small=[random_kernel(5, 4, 0, boundary) for boundary in BOUNDARIES],
        described=[random_kernel(4, 5), random_kernel(9, 6, 0, "zero")],
        picture=Picture("KernelBlur", "pagoda", KernelBlur.from_array(ring(13)), 0.02),
    ),
    Example(
        SpaceVaryingBlur,
        [SpaceVaryingBlur()],
        {"sigma_center": Between(0.3, 2.0), "sigma_corner": Between(0.3, 5.0), "boundary": BOUNDARIES},
        closed_form=False,
        small=[SpaceVaryingBlur(0.5, 1.2, boundary) for boundary in BOUNDARIES],
        picture=Picture("SpaceVaryingBlur", "dahlia", SpaceVaryingBlur(), 0.02),
    ),
)
PAIRS = (
    Example(Compose, [Compose(GaussianBlur(9, 1.0), SuperResolution(4))], {"first": SEPARABLE, "second": (SHRUNK,)}),
    Example(Compose, [Compose(random_mask(*SIZE), random_mask(*SIZE, 1))], {"first": (MASK,), "second": (MASK,)}),
)
COMBINED = (
    Example(
        Compose,
        [Compose(SuperResolution(2), random_mask(36, 64)), Compose(random_mask(*SIZE), GaussianBlur(9, 1.0))],
        {"first": (MASK,), "second": (MASK, *UNMASKED, *PAIRS)},
        closed_form=False,
        small=[
            *(Compose(random_mask(*SMALL), GaussianBlur(9, 1.0, boundary)) for boundary in BOUNDARIES),
            *(Compose(MotionBlur(8.0, boundary=boundary), SuperResolution(3)) for boundary in BOUNDARIES),
            Compose(SuperResolution(2), random_mask(10, 14)),
        ],
        described=[Compose(GaussianBlur(), SuperResolution()), Compose(SuperResolution(), GaussianBlur())],
        picture=Picture("ComposeDegradations", "pagoda", Compose(SOME_GAUSSIAN, SuperResolution(2)), 0.02),
    ),
    Example(
        Stack,
        [Stack(SuperResolution(4), random_mask(*SIZE)), Stack(Colorization("luma"), GaussianBlur(9, 1.0))],
        {"first": (*MASKS, *UNMASKED, *PAIRS), "second": (*SEPARABLE, SHRUNK, SENSED)},
        closed_form=False,
        small=[
            *(Stack(MotionBlur(8.0, boundary=boundary), random_mask(*SMALL)) for boundary in BOUNDARIES),
            *(Stack(GaussianBlur(9, 1.5, boundary), SuperResolution(2)) for boundary in BOUNDARIES),
            Stack(Compose(random_mask(*SMALL), GaussianBlur(5, 1.0)), GaussianBlur(5, 1.0)),
            Stack(Colorization(), GaussianBlur(9, 1.0)),
        ],
        described=[Stack(GaussianBlur(), SuperResolution())],
        picture=Picture("StackDegradations", "astronaut", Stack(RandomInpainting(0.8), SuperResolution(4)), 0.02),
    ),
)
CLIPPED = Example(
    Clipped,
    [Clipped(SuperResolution(4)), Clipped(random_mask(*SIZE)), Clipped(Compose(GaussianBlur(), SuperResolution()))],
    {"degradation": (*MASKS, *UNMASKED, *PAIRS)},
    described=[Clipped(GaussianBlur())],
    picture=Picture("Clipped", "rocket", Clipped(Denoising()), 0.2),
)
LINEAR = (*MASKS, *UNMASKED, *PAIRS, *ITERATED, *COMBINED, CLIPPED)

NONLINEAR = (
    Example(HDR, [HDR()], described=[HDR(3.0)], picture=Picture("HDR", "astronaut", HDR(), 0.02)),
    Example(
        Quantization,
        [Quantization()],
        described=[Quantization(16)],
        picture=Picture("Quantization", "dahlia", Quantization(4), 0.0),
    ),
    Example(
        JPEG,
        [JPEG(), JPEG(90, "4:4:4"), JPEG(30, "4:2:0", "cubic")],
        described=[JPEG(10, "4:4:4")],
        picture=Picture("JPEG", "cat", JPEG(), 0.0),
    ),
    Example(
        PhaseRetrieval,
        [PhaseRetrieval(), PhaseRetrieval(4.0, 0.5)],
        picture=Picture("PhaseRetrieval", "pagoda", PhaseRetrieval(), 0.02),
    ),
    Example(
        NonlinearBlur,
        [NonlinearBlur(GaussianBlur(9, 1.5)), NonlinearBlur(MotionBlur(15), exposure=1.5)],
        picture=Picture("NonlinearBlur", "rocket", NonlinearBlur(MotionBlur(20.0, 30.0, 0.0), exposure=2.0), 0.02),
    ),
    Example(BKSE, [BKSE("a.pth")], described=[BKSE("a.pth", 1), BKSE("b.pth")], channels=3),
    Example(
        Compose,
        [
            Compose(SuperResolution(4), JPEG(30)),
            Compose(GaussianBlur(9, 1.5), JPEG(30)),
            Compose(JPEG(30), SuperResolution(4)),
            Compose(Colorization(), JPEG(30)),
            Compose(HDR(), random_mask(*SIZE, missing=0.4)),
            Compose(random_mask(*SIZE, missing=0.4), Quantization()),
            Compose(NonlinearBlur(MotionBlur(15)), Compose(SuperResolution(2), JPEG(50))),
            Compose(GaussianBlur(9, 1.5), PhaseRetrieval()),
        ],
    ),
    Example(
        Stack,
        [
            Stack(JPEG(10), SuperResolution(4)),
            Stack(PhaseRetrieval(), Compose(HDR(), random_mask(*SIZE, missing=0.4))),
            Stack(Colorization(), Quantization(4)),
        ],
    ),
)
EXAMPLES = (*LINEAR, *NONLINEAR)


def settings(examples: Sequence[Example], kind: type[Degradation] = Degradation) -> list[Degradation]:
    return [degradation for example in examples if issubclass(example.kind, kind) for degradation in example.settings]


ITERATING = settings([example for example in LINEAR if not example.closed_form])


def channels(degradation: Degradation) -> int | None:
    """How many it or a part of it needs; None if any number will do."""
    parts = [value for value in vars(degradation).values() if isinstance(value, Degradation)]
    needed = [example.channels for example in EXAMPLES if example.kind is type(degradation)]
    return next(filter(None, [*needed, *map(channels, parts)]), None)
