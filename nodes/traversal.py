from __future__ import annotations

from functools import wraps
from typing import Literal

import torch
from comfy_api.latest import io

from ..evaluation import gradient_distance, psnr, rmse, sharpness, ssim
from ..evaluation.pictures import TraversalPoint, contact_sheet, distortion_perception_plot, level_plot
from ..host.automatic_level import sharp_renoise
from ..host.degrade import over_reference, residual_in_noise
from ..host.restoration import Restoration, sample_posterior
from ..solvers.posterior_sampling import Sampler
from .choices import GUIDANCE, SAMPLERS, SCALES
from .inputs import (
    NOISE_STD,
    STEPS,
    TILE,
    degradation_input,
    measurement_input,
    noise_std_input,
    positive_input,
    seed_input,
    tile_input,
)
from .posterior_sampling import SCALE, sampling_inputs, scale_input

AUTOMATIC: Literal["auto"] = "auto"
LEVELS = "0, 0.05, 0.1, 0.2, 0.4, 1"
TARGETS = {"residual/noise": 1.0}


class Traversal(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Traversal",
            display_name="Traversal (MAP-RPS)",
            category="MAP-RPS",
            description="One estimate, several re-noise levels with the same noise: the walk from faithful to sharp, "
            "side by side, with its distortion-perception curve.",
            inputs=[
                io.Model.Input("model", tooltip="The model that made the estimate."),
                degradation_input(),
                measurement_input(),
                io.Image.Input("estimate", tooltip="From MAP Estimation, for the same measurement."),
                io.Image.Input(
                    "reference", optional=True, tooltip="The clean image, where it is known: for the curve and PSNR."
                ),
                noise_std_input(),
                io.String.Input(
                    "levels",
                    optional=True,
                    default=LEVELS,
                    tooltip="Re-noise levels, 0 to 1, separated by commas. 0 is the estimate itself; auto chooses one "
                    "that is as sharp as a photo, by six more samples.",
                ),
                *sampling_inputs("pixel"),
                seed_input(),
                positive_input(),
                scale_input(),
                tile_input(),
            ],
            outputs=[
                io.Image.Output(
                    "images",
                    display_name="images",
                    tooltip="One image per level (for a batch: the batch at each level).",
                ),
                io.Image.Output(
                    "plot",
                    display_name="plot",
                    tooltip="Distortion against perception, or residual and sharpness by level.",
                ),
                io.Image.Output(
                    "contact_sheet",
                    display_name="contact_sheet",
                    tooltip="The first image with labels: reference, measurement and all levels.",
                ),
                io.String.Output(
                    "text",
                    display_name="text",
                    tooltip="The numbers of each level, one line each, for Preview as Text.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        degradation,
        measurement,
        estimate,
        reference=None,
        noise_std=NOISE_STD,
        levels=LEVELS,
        guidance=GUIDANCE.default,
        guidance_scale=SCALE["pixel"],
        sampler=SAMPLERS.default,
        steps=STEPS,
        seed=0,
        positive=None,
        scale=SCALES.default,
        tile=TILE,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive=positive, tile=tile)
        term = GUIDANCE.of("pixel")[guidance](guidance_scale)
        numbers = [
            sharp_renoise(restoration, estimate, SCALES[scale]) if level == AUTOMATIC else level
            for level in parse_levels(levels)
        ]
        walk = [SAMPLERS[sampler](restoration, level, steps, SCALES[scale]) for level in numbers]
        whole, done = sum(len(sigmas) - 1 for _, sigmas in walk), 0
        images = []
        for solver, sigmas in walk:
            part = part_of(solver, done, whole)
            images.append(sample_posterior(restoration, estimate, sigmas, term, part).image)
            done += len(sigmas) - 1
        rows = [measures(image, restoration, reference) for image in images]
        if reference is not None:
            points = [
                TraversalPoint(level, row["gradient distance"], row["RMSE"])
                for level, row in zip(numbers, rows, strict=True)
            ]
            plot = distortion_perception_plot(points)
        else:
            plot = level_plot(numbers, {name: [row[name] for row in rows] for name in rows[0]}, TARGETS)
        lines = [
            f"renoise {level:g}: " + "  ".join(f"{name} {value:.4g}" for name, value in row.items())
            for level, row in zip(numbers, rows, strict=True)
        ]
        captions = [f"renoise {level:g}\n{caption(row)}" for level, row in zip(numbers, rows, strict=True)]
        given = {"reference": reference, "measurement": measurement}
        given = {name: image for name, image in given.items() if image is not None}
        sheet = contact_sheet([image[0] for image in (*given.values(), *images)], [*given, *captions])
        text = "\n".join(lines)
        return io.NodeOutput(torch.cat(images), plot, sheet, text, ui={"text": (text,)})


def part_of(sampler: Sampler, done: int, whole: int) -> Sampler:
    """The sampler as a part of longer work: its steps are reported as those after `done` of `whole`."""

    @wraps(sampler)
    def run(guided, x, sigmas, noise, callback) -> torch.Tensor:
        return sampler(guided, x, sigmas, noise, lambda step, _, image: callback(done + step, whole, image))

    return run


def parse_levels(text: str) -> list[float | Literal["auto"]]:
    """Comma-separated numbers in 0..1, or AUTOMATIC. Raises ValueError for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        levels = [part if part == AUTOMATIC else float(part) for part in parts]
    except ValueError:
        levels = []
    if not levels or not all(level == AUTOMATIC or 0 <= level <= 1 for level in levels):
        raise ValueError(
            f"levels is {text!r}: give numbers from 0 to 1, or {AUTOMATIC}, separated by commas, such as 0, 0.1, 0.4."
        )
    return levels


def measures(image: torch.Tensor, restoration: Restoration, reference: torch.Tensor | None) -> dict[str, float]:
    """Means over the batch."""
    row = {}
    if reference is not None:
        part = over_reference(image, reference, restoration.degradation, restoration.measurement)
        row["PSNR"] = psnr(part, reference)
        row["SSIM"] = ssim(part, reference)
        row["RMSE"] = rmse(part, reference)
        row["gradient distance"] = gradient_distance(part, reference)
    row["sharpness"] = sharpness(image)
    if restoration.noise_std > 0:
        _, row["residual/noise"] = residual_in_noise(
            image, restoration.operator, restoration.measurement, restoration.noise_std
        )
    return {name: float(values.mean()) for name, values in row.items()}


def caption(row: dict[str, float]) -> str:
    return f"PSNR {row['PSNR']:.2f}" if "PSNR" in row else f"sharpness {row['sharpness']:.4f}"
