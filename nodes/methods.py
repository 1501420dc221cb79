"""The choices that nodes offer by name."""

from __future__ import annotations

from dataclasses import replace

from ..host.schedule import every_step_sigmas, few_step_sigmas
from ..solvers.guidance import (
    DCDP,
    DDNM,
    DMPS,
    DPS,
    LDIR,
    MMPS,
    PSLD,
    Guidance,
    GuidanceWithHistory,
    LatentDPS,
    PiGDM,
    Proximal,
)
from ..solvers.map_estimation import FFHQ_LDM, PIXEL, PRINCIPLED, SD15, Accelerated, Annealed, Method, Paper
from ..solvers.posterior_sampling import Sampler, ancestral, dpm_solver

MAP_METHODS: dict[str, Method] = {
    "fast": Annealed(),
    "accurate": Accelerated(),
    "paper": PRINCIPLED,
    **{f"paper, {task}": settings for task, settings in PIXEL.items()},
}

LATENT_METHODS: dict[str, Method] = {
    "fast": Annealed(),
    "paper": Paper(sigma=SD15["inpainting"].sigma, learning_rate=0.1),
    **{f"paper, SD1.5 {task}": settings for task, settings in SD15.items()},
    **{f"paper, FFHQ-LDM {task}": settings for task, settings in FFHQ_LDM.items()},
}

GUIDANCE = ("proximal", "DPS", "PiGDM", "MMPS", "DMPS", "DDNM+")
LATENT_GUIDANCE = ("proximal", "latent DPS", "DPS", "PSLD", "LDIR", "DCDP", "MMPS")
SAMPLERS = ("few steps", "every step (paper)")


def with_steps(method: Method, steps: int) -> Method:
    """The method with `steps` in place of its own number of calls unless it is 0."""
    return replace(method, steps=steps) if steps else method


def guidance_term(name: str, scale: float) -> Guidance | GuidanceWithHistory:
    """scale: the step size of those that have one."""
    terms = {
        "proximal": Proximal(),
        "DPS": DPS(scale),
        "PiGDM": PiGDM(),
        "MMPS": MMPS(),
        "DMPS": DMPS(scale),
        "DDNM+": DDNM(),
        "latent DPS": LatentDPS(scale),
        "PSLD": PSLD(scale),
        "LDIR": LDIR(scale),
        "DCDP": DCDP(),
    }
    return terms[name]


def sampler_and_sigmas(name: str, model, renoise: float, steps: int) -> tuple[Sampler, list[float]]:
    if name == "every step (paper)":
        return ancestral, every_step_sigmas(model, renoise)
    return dpm_solver, few_step_sigmas(model, renoise, steps)
