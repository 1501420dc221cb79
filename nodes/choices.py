"""What nodes offer by name: ONE table for each choice, from which combo, tooltip, help page and what is run all come.

After a change, `python -m tools.write_choice_lists` rewrites the lists in web/docs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Generic, Literal, TypeVar

from torch import Tensor

from ..host.automatic_level import sharp_renoise
from ..host.restoration import Restoration
from ..host.schedule import Scale, every_step_sigmas, few_step_sigmas
from ..solvers.guidance import DCDP, DDNM, DMPS, DPS, LDIR, MMPS, PSLD, Guidance, LatentDPS, PiGDM, Proximal
from ..solvers.map_estimation import FFHQ_LDM, PIXEL, PRINCIPLED, SD15, Accelerated, Annealed, Encoded, Method, Paper
from ..solvers.posterior_sampling import Sampler, ancestral, dpm_solver, stochastic_adams

T = TypeVar("T")
Kind = Literal["pixel", "latent"]


@dataclass(frozen=True)
class Choice(Generic[T]):
    """name: as the page shows it. runs: what it stands for. help: one clause. pixel, latent: which nodes offer it.

    scales: what the paper and its code take for a step size, by task; empty where there is none.
    """

    name: str
    runs: T
    help: str
    pixel: bool = True
    latent: bool = True
    scales: Mapping[str, float] = field(default_factory=dict)

    def advice(self) -> str:
        """The scales in words: 0.01 for inpainting, 0.1 for super-resolution and deblurring."""
        tasks: dict[float, list[str]] = {}
        for task, scale in self.scales.items():
            tasks.setdefault(scale, []).append(task)
        return ", ".join(f"{scale:g} for {' and '.join(names)}" for scale, names in tasks.items())


class Choices(Generic[T]):
    """The entries of a combo called `input`; the first is the default."""

    def __init__(self, input: str, entries: Iterable[Choice[T]]):
        self.input, self._entries = input, tuple(entries)

    def __iter__(self) -> Iterator[Choice[T]]:
        return iter(self._entries)

    def of(self, kind: Kind) -> Choices[T]:
        """Those that nodes for such models offer."""
        return Choices(self.input, [entry for entry in self if getattr(entry, kind)])

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(entry.name for entry in self))

    @property
    def default(self) -> str:
        return self.names[0]

    def __getitem__(self, name: str) -> T:
        """What is run by that name. Raises ValueError where there is none: a host may not check what a graph holds."""
        check_choice(self.input, name, self.names)
        return next(entry.runs for entry in self if entry.name == name)

    def clauses(self) -> list[tuple[list[str], str]]:
        """(names, help): one entry, or several in a row of which the same is said."""
        return [([e.name for e in group], help) for help, group in groupby(self, lambda entry: entry.help)]

    def tooltip(self) -> str:
        """What each of them is, for the page."""
        return " ".join(f"{', '.join(names)}: {help}." for names, help in self.clauses())

    def scale_tooltip(self) -> str:
        """Which of them have a step size, and what it is in the paper and its code."""
        sized = [entry for entry in self if entry.scales]
        parts = [f"{', '.join(e.name for e in group)}: {advice}" for advice, group in groupby(sized, Choice.advice)]
        return f"A step size, for these alone; the paper and its code take {'; '.join(parts)}."


def check_choice(input: str, name: str, names: Sequence[str]) -> None:
    """Raises ValueError for a name that is none of those that the input offers."""
    if name not in names:
        raise ValueError(f"{input} is {name!r}: choose one of {', '.join(names)}.")


STABLE_HELP = (
    "the same on the distance to the data in place of its square, so that a large residual makes no large step"
)
LATENT_SCALES = {"inpainting": 0.01, "super-resolution": 0.1, "deblurring": 0.1}
STABLE_SCALES = {"HDR": 0.5, "compressed sensing": 1.5, "nonlinear blur": 1.5}

GUIDANCE: Choices[Callable[[float], Guidance]] = Choices(
    "guidance",
    [
        Choice(
            "proximal", lambda scale: Proximal(), "a step to the data after each call, no gradients through the model"
        ),
        Choice(
            "latent DPS",
            LatentDPS,
            "the paper's for latent models, for every step (paper); gradients through model and decoder",
            pixel=False,
            scales=LATENT_SCALES,
        ),
        Choice(
            "latent DPS (stable)",
            lambda scale: LatentDPS(scale, stable=True),
            STABLE_HELP,
            pixel=False,
            scales=STABLE_SCALES,
        ),
        Choice(
            "DPS",
            DPS,
            "the paper's for pixel models, for every step (paper); gradients through the model",
            scales={"most tasks": 1.0, "deblurring": 2.0},
        ),
        Choice(
            "PSLD",
            PSLD,
            "latent DPS with a term that glues what was measured to the rest; for linear degradations",
            pixel=False,
            scales=LATENT_SCALES,
        ),
        Choice(
            "PSLD (stable)",
            lambda scale: PSLD(scale, stable=True),
            STABLE_HELP,
            pixel=False,
            scales={"compressed sensing": 1.5},
        ),
        Choice("LDIR", LDIR, "latent DPS that remembers earlier gradients", pixel=False, scales=LATENT_SCALES),
        Choice(
            "LDIR (stable)",
            lambda scale: LDIR(scale, stable=True),
            STABLE_HELP,
            pixel=False,
            scales=STABLE_SCALES,
        ),
        Choice("DCDP", lambda scale: DCDP(), "a few optimizer steps through the decoder", pixel=False),
        Choice("PiGDM", lambda scale: PiGDM(), "gradients through the model; for linear degradations", latent=False),
        Choice("MMPS", lambda scale: MMPS(), "gradients through the model; the most exact and the slowest"),
        Choice("DMPS", DMPS, "no gradients; for linear degradations", latent=False, scales={"all tasks": 1.0}),
        Choice("DDNM+", lambda scale: DDNM(), "no gradients; for linear degradations", latent=False),
    ],
)


def _published(prefix: str, kind: Kind, settings: Mapping[str, Paper]) -> list[Choice[Method]]:
    steps = [paper.steps for paper in settings.values()]
    help = f"the settings of the authors' code for that task, {min(steps)} to {max(steps)} calls"
    return [
        Choice(f"paper, {prefix}{task}", paper, help, pixel=kind == "pixel", latent=kind == "latent")
        for task, paper in settings.items()
    ]


METHODS: Choices[Method] = Choices(
    "method",
    [
        Choice(
            "fast",
            Annealed(),
            f"a denoising, then a step to the data, as the noise level falls; at most {Annealed.steps} model calls",
            latent=False,
        ),
        Choice(
            "fast",
            Encoded(),
            f"a denoising, then a step to the data, as the noise level falls; {Encoded.steps} model calls, and in the "
            "last of them a few gradients of the decoder, where fine detail was measured",
            pixel=False,
        ),
        Choice(
            "descent",
            Annealed(),
            "the same with each step to the data by descent through the decoder, some hundred times forward and back; "
            f"at most {Annealed.steps} model calls",
            pixel=False,
        ),
        Choice(
            "accurate",
            Accelerated(),
            "a denoising, then a step to the data, accelerated to convergence: exact for models close to linear, worse "
            f"than fast on photos; {Accelerated.steps} calls",
            latent=False,
        ),
        Choice(
            "paper",
            PRINCIPLED,
            f"the published optimizer with the weight its theory gives; {PRINCIPLED.steps} calls",
            latent=False,
        ),
        Choice(
            "paper",
            Paper(sigma=SD15["inpainting"].sigma, learning_rate=0.1),
            f"the published optimizer with the weight its theory gives; {Paper.steps} calls",
            pixel=False,
        ),
        *_published("", "pixel", PIXEL),
        *_published("SD1.5 ", "latent", SD15),
        *_published("FFHQ-LDM ", "latent", FFHQ_LDM),
    ],
)

Schedule = Callable[[Restoration, float, int, Scale], tuple[Sampler, list[float]]]
"""schedule(restoration, renoise, steps, scale): a sampler, and the noise levels it goes along."""
Level = Callable[[Restoration, Tensor, float, Scale], float]
"""level(restoration, estimate, renoise, scale): the renoise level to go to. estimate: as the node has it, IMAGE or the
samples of a LATENT."""

SAMPLERS: Choices[Schedule] = Choices(
    "sampler",
    [
        Choice(
            "few steps",
            lambda restoration, renoise, steps, scale: (
                stochastic_adams,
                few_step_sigmas(restoration, renoise, steps, scale),
            ),
            "a third-order solver with the number of steps below",
        ),
        Choice(
            "every step (paper)",
            lambda restoration, renoise, steps, scale: (
                ancestral,
                every_step_sigmas(restoration.model, renoise, scale),
            ),
            "the ancestral steps of the model's whole schedule below the re-noise level, up to 1000 calls; steps has "
            "no effect then",
        ),
    ],
)

SCALES: Choices[Scale] = Choices(
    "scale",
    [
        Choice("time", "time", "as the paper and KSampler's denoise have it, the part of the model's own schedule"),
        Choice(
            "noise",
            "noise",
            "the same noise on any model, so that a value found with one serves another: 0.2 is sigma 0.12, 0.4 0.48, "
            "0.6 1.9, 0.8 7.5",
        ),
    ],
)

LEVELS: Choices[Level] = Choices(
    "level",
    [
        Choice("as given", lambda restoration, estimate, renoise, scale: renoise, "what renoise says"),
        Choice(
            "as sharp as a photo",
            lambda restoration, estimate, renoise, scale: sharp_renoise(restoration, estimate, scale),
            "the least whose samples are nearly as sharp as those of renoise 1, searched for by six more samples; "
            "renoise has no effect then",
        ),
    ],
)

SOLVERS: Choices[Sampler] = Choices(
    "solver",
    [
        Choice("third order", stochastic_adams, "right from about 16 sigmas on"),
        Choice("second order", dpm_solver, "for 30 and more"),
        Choice("ancestral (paper)", ancestral, "the paper's, for hundreds"),
    ],
)


def method_named(name: str, kind: Kind, steps: int) -> Method:
    """The method with `steps` in place of its own number of calls unless it is 0."""
    method = METHODS.of(kind)[name]
    return replace(method, steps=steps) if steps else method
