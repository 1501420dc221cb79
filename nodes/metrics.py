from __future__ import annotations

from comfy_api.latest import io

from ..evaluation import psnr, sharpness, ssim
from ..evaluation.pictures import error_map, residual_histogram
from ..host.degrade import over_reference, residual_in_noise
from ..host.progress import progress_bar
from .inputs import NOISE_STD, DegradationType, noise_std_input

ROUNDED = "the degradation rounds sizes up, and the rest is beyond its border"


class Metrics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Metrics",
            display_name="Metrics (MAP-RPS)",
            category="MAP-RPS/evaluation",
            description="How close an image is to the truth (PSNR, SSIM), and whether it explains the measurement: a "
            "residual / noise near 1 is right, above 1 ignores data, far below 1 has fitted the noise.",
            inputs=[
                io.Image.Input("image", tooltip="One or more restored images."),
                io.Image.Input("reference", tooltip="The clean image, one for all or one for each."),
                DegradationType.Input(
                    "degradation", optional=True, tooltip="With measurement: gives residual / noise."
                ),
                io.Image.Input("measurement", optional=True, tooltip="The damaged image, one for all or one for each."),
                noise_std_input(),
            ],
            outputs=[
                io.Float.Output("PSNR", display_name="PSNR", tooltip="Mean over the batch, in dB."),
                io.Float.Output("SSIM", display_name="SSIM", tooltip="Mean over the batch."),
                io.Float.Output(
                    "residual_over_noise",
                    display_name="residual / noise",
                    tooltip="Mean over the batch; 0 where no measurement is connected.",
                ),
                io.String.Output("text", display_name="text", tooltip="A line for each image, for Preview as Text."),
                io.Image.Output(
                    "plot",
                    display_name="plot",
                    tooltip="Error map of the first image, or the residual's histogram where it is known.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image, reference, degradation=None, measurement=None, noise_std=NOISE_STD) -> io.NodeOutput:
        if (degradation is None) != (measurement is None):
            raise ValueError("Residual / noise needs both degradation and measurement: connect both, or neither.")
        restored, note = image, []
        if degradation is not None:
            image = over_reference(restored, reference, degradation, measurement)
            if image.shape != restored.shape:
                note = [f"Compared on the reference's {image.shape[2]}x{image.shape[1]} pixels: {ROUNDED}."]
        report, columns = progress_bar(), {}
        for i, (name, measure) in enumerate({"PSNR": psnr, "SSIM": ssim}.items()):
            report(i, 4)
            columns[name] = measure(image, reference)
        report(2, 4)
        columns["sharpness"] = sharpness(image)
        report(3, 4)
        ratio, plot = 0.0, error_map(image[:1], reference[:1])
        if degradation is not None:
            height, width, channels = restored.shape[1:]
            operator = degradation.build(channels, height, width)
            residual, ratios = residual_in_noise(restored, operator, measurement, noise_std)
            columns["residual/noise"] = ratios
            ratio, plot = float(ratios.mean()), residual_histogram(residual)
        lines = [
            f"{i + 1}. " + "  ".join(f"{name} {float(values[i]):.4g}" for name, values in columns.items())
            for i in range(len(image))
        ]
        text = "\n".join(note + lines)
        numbers = float(columns["PSNR"].mean()), float(columns["SSIM"].mean()), ratio
        return io.NodeOutput(*numbers, text, plot, ui={"text": (text,)})
