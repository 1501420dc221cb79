from __future__ import annotations

import folder_paths
from comfy_api.latest import io

from ...operators import bkse, hdr, jpeg, motion_blur, nonlinear_blur, phase_retrieval, quantization
from ...operators.jpeg import ROUNDINGS, SUBSAMPLING
from ..types import CATEGORY, DegradationType

NO_NETWORK = "none"
WEIGHTS = (".pth", ".pt")


class HDR(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_HDR",
            display_name="HDR (MAP-RPS)",
            category=CATEGORY,
            description="Contrast was raised, and dark and bright parts were clipped; restoring brings them back.",
            inputs=[
                io.Float.Input(
                    "scale",
                    default=2.0,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    tooltip="Of the contrast about mid-grey. 2, as in papers, clips what is below 1/4 or above 3/4.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, scale: float = 2.0) -> io.NodeOutput:
        return io.NodeOutput(hdr.HDR(scale))


class Quantization(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Quantization",
            display_name="Quantization (MAP-RPS)",
            category=CATEGORY,
            description="Every value was rounded to one of a few levels, which shows as bands; restoring smooths them.",
            inputs=[
                io.Int.Input(
                    "levels",
                    default=8,
                    min=2,
                    max=65536,
                    optional=True,
                    tooltip="Values that are left in each color, black and white among them: 8 are 3 bits, 256 a "
                    "common photo.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, levels: int = 8) -> io.NodeOutput:
        return io.NodeOutput(quantization.Quantization(levels))


class JPEG(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_JPEG",
            display_name="JPEG (MAP-RPS)",
            category=CATEGORY,
            description="The image was stored as a JPEG; restoring removes its blocks and rings.",
            inputs=[
                io.Int.Input(
                    "quality",
                    default=10,
                    min=1,
                    max=100,
                    optional=True,
                    tooltip="As in Pillow and most programs: 10 has strong blocks, 75 is common, 95 is nearly clean.",
                ),
                io.Combo.Input(
                    "subsampling",
                    options=list(SUBSAMPLING),
                    default="4:2:0",
                    optional=True,
                    tooltip="4:2:0 stores color at half the size, as most files do; 4:4:4 at full size.",
                ),
                io.Combo.Input(
                    "rounding",
                    options=list(ROUNDINGS),
                    default="straight-through",
                    optional=True,
                    tooltip="straight-through: the codec exactly, with a made-up gradient. cubic: a smooth "
                    "approximation with its own gradient.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(
        cls, quality: int = 10, subsampling: str = "4:2:0", rounding: str = "straight-through"
    ) -> io.NodeOutput:
        return io.NodeOutput(jpeg.JPEG(quality, subsampling, rounding))


class PhaseRetrieval(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_PhaseRetrieval",
            display_name="Phase Retrieval (MAP-RPS)",
            category=CATEGORY,
            description="Only the magnitudes of the image's Fourier transform were measured, as with light scattered "
            "far away. The measurement is not a picture; the result may be upside down.",
            inputs=[
                io.Float.Input(
                    "oversample",
                    default=2.0,
                    min=0.0,
                    max=8.0,
                    step=0.5,
                    optional=True,
                    tooltip="Frame around the image, on each side this many eighths of its length. Papers take 2.",
                ),
                io.Float.Input(
                    "background",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.5,
                    optional=True,
                    tooltip="Level of the frame: 0 (black) as in DAPS, 0.5 (grey) as in DPS.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, oversample: float = 2.0, background: float = 0.0) -> io.NodeOutput:
        return io.NodeOutput(phase_retrieval.PhaseRetrieval(oversample, background))


class NonlinearBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = folder_paths.get_filename_list("diffusion_models")
        return io.Schema(
            node_id="MAPRPS_NonlinearBlur",
            display_name="Nonlinear Blur (MAP-RPS)",
            category=CATEGORY,
            description="Light was blurred, and the camera made numbers of it afterwards: lamps smear out brightly. "
            "Or a blur that a network learned from videos (BKSE), for which you have the weights.",
            inputs=[
                DegradationType.Input(
                    "blur",
                    optional=True,
                    tooltip="The blur of the light, from a blur node; without one, Motion Blur with its defaults.",
                ),
                io.Float.Input(
                    "gamma",
                    default=2.2,
                    min=1.0,
                    max=5.0,
                    step=0.1,
                    optional=True,
                    tooltip="Of the camera: 2.2 is common, 1 blurs the numbers themselves.",
                ),
                io.Float.Input(
                    "exposure",
                    default=1.0,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    tooltip="Above 1 the sensor got that many times too much light, and bright parts are white.",
                ),
                io.Combo.Input(
                    "network",
                    options=[NO_NETWORK, *[file for file in files if file.lower().endswith(WEIGHTS)]],
                    default=NO_NETWORK,
                    optional=True,
                    tooltip="none: the settings above. Or the weights of BKSE, GOPRO_wVAE.pth, in "
                    "models/diffusion_models: then only the seed counts.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    optional=True,
                    tooltip="Of the network's random kernel. The same seed gives the same blur.",
                ),
            ],
            outputs=[DegradationType.Output()],
        )

    @classmethod
    def execute(cls, blur=None, gamma=2.2, exposure=1.0, network=NO_NETWORK, seed=0) -> io.NodeOutput:
        if network != NO_NETWORK:
            path = folder_paths.get_full_path_or_raise("diffusion_models", network)
            return io.NodeOutput(bkse.BKSE(path, seed))
        return io.NodeOutput(nonlinear_blur.NonlinearBlur(blur or motion_blur.MotionBlur(), gamma, exposure))
