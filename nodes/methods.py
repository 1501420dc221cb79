"""The choices that nodes offer by name."""

from __future__ import annotations

from dataclasses import replace

from ..host.schedule import every_step_sigmas, few_step_sigmas
from ..solvers.guidance import DDNM, DMPS, DPS, MMPS, Guidance, PiGDM, Proximal
from ..solvers.map_estimation import PIXEL, PRINCIPLED, Accelerated, Annealed, Method
from ..solvers.posterior_sampling import Sampler, ancestral, dpm_solver

MAP_METHODS: dict[str, Method] = {
    "fast": Annealed(),
    "accurate": Accelerated(),
    "paper": PRINCIPLED,
    **{f"paper, {task}": settings for task, settings in PIXEL.items()},
}

GUIDANCE = ("proximal", "DPS", "PiGDM", "MMPS", "DMPS", "DDNM+")
SAMPLERS = ("few steps", "every step (paper)")


def map_method(name: str, steps: int) -> Method:
    """The method of that name, with `steps` in place of its own number of calls unless it is 0."""
    method = MAP_METHODS[name]
    return replace(method, steps=steps) if steps else method


def guidance_term(name: str, scale: float) -> Guidance:
    """scale: the step size of those that have one (DPS, DMPS)."""
    terms = {
        "proximal": Proximal(),
        "DPS": DPS(scale),
        "PiGDM": PiGDM(),
        "MMPS": MMPS(),
        "DMPS": DMPS(scale),
        "DDNM+": DDNM(),
    }
    return terms[name]


def sampler_and_sigmas(name: str, model, renoise: float, steps: int) -> tuple[Sampler, list[float]]:
    if name == "every step (paper)":
        return ancestral, every_step_sigmas(model, renoise)
    return dpm_solver, few_step_sigmas(model, renoise, steps)
