from __future__ import annotations

import torch
from comfy_api.latest import io

from ..evaluation import (
    TraversalPoint,
    contact_sheet,
    distortion_perception_plot,
    gradient_distance,
    level_plot,
    psnr,
    rmse,
    sharpness,
    ssim,
)
from ..host.degrade import residual_in_noise
from ..host.pixel import Restoration, sample_posterior
from .methods import guidance_term, sampler_and_sigmas
from .posterior_sampling import sampling_inputs
from .types import degradation_input, measurement_input, noise_std_input, positive_input, seed_input


class Traversal(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Traversal",
            display_name="Traversal (MAP-RPS)",
            category="MAP-RPS",
            description="One estimate, several re-noise levels with the same noise: the walk from faithful to sharp, "
            "side by "
            "side, with its distortion-perception curve.",
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
                    default="0, 0.05, 0.1, 0.2, 0.4, 1",
                    tooltip="Re-noise levels, 0 to 1, separated by commas. 0 is the estimate itself.",
                ),
                *sampling_inputs(),
                seed_input(),
                positive_input(),
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
                    "contact_sheet", display_name="contact_sheet", tooltip="All levels of the first image, with labels."
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
        noise_std=0.05,
        levels="0, 0.05, 0.1, 0.2, 0.4, 1",
        guidance="proximal",
        guidance_scale=1.0,
        sampler="few steps",
        steps=16,
        seed=0,
        positive=None,
    ) -> io.NodeOutput:
        restoration = Restoration(model, degradation, measurement, noise_std, seed, positive)
        term = guidance_term(guidance, guidance_scale)
        images = []
        numbers = parse_levels(levels)
        for level in numbers:
            solver, sigmas = sampler_and_sigmas(sampler, model, level, steps)
            images.append(sample_posterior(restoration, estimate, sigmas, term, solver))
        rows = [measures(image, restoration, reference) for image in images]
        if reference is not None:
            points = [
                TraversalPoint(level, row["gradient distance"], row["RMSE"])
                for level, row in zip(numbers, rows, strict=True)
            ]
            plot = distortion_perception_plot(points)
        else:
            plot = level_plot(numbers, {name: [row[name] for row in rows] for name in rows[0]})
        lines = [
            f"renoise {level:g}: " + "  ".join(f"{name} {value:.4g}" for name, value in row.items())
            for level, row in zip(numbers, rows, strict=True)
        ]
        captions = [f"renoise {level:g}\n{caption(row)}" for level, row in zip(numbers, rows, strict=True)]
        sheet = contact_sheet([image[0] for image in images], captions)
        return io.NodeOutput(torch.cat(images), plot, sheet, ui={"text": ("\n".join(lines),)})


def parse_levels(text: str) -> list[float]:
    """Comma-separated numbers in 0..1. Raises ValueError for anything else."""
    try:
        levels = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        levels = []
    if not levels or not all(0 <= level <= 1 for level in levels):
        raise ValueError(f"levels is {text!r}: give numbers from 0 to 1 separated by commas, such as 0, 0.1, 0.4.")
    return levels


def measures(image: torch.Tensor, restoration: Restoration, reference: torch.Tensor | None) -> dict[str, float]:
    """Means over the batch."""
    row = {}
    if reference is not None:
        row["PSNR"] = psnr(image, reference)
        row["SSIM"] = ssim(image, reference)
        row["RMSE"] = rmse(image, reference)
        row["gradient distance"] = gradient_distance(image, reference)
    row["sharpness"] = sharpness(image)
    if restoration.noise_std > 0:
        row["residual/noise"] = residual_in_noise(
            image, restoration.degradation, restoration.measurement, restoration.noise_std
        )[1]
    return {name: float(values.mean()) for name, values in row.items()}


def caption(row: dict[str, float]) -> str:
    return f"PSNR {row['PSNR']:.2f}" if "PSNR" in row else f"sharpness {row['sharpness']:.4f}"
