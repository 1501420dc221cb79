from __future__ import annotations

from comfy_api.latest import io

from ...operators.bayer import PATTERNS, BayerMosaic
from ...operators.colorization import Colorization
from ...operators.compressed_sensing import BLOCKS, CompressedSensing
from ...operators.phase_retrieval import PhaseRetrieval
from ...operators.resampling import KERNELS, SuperResolution
from ..inputs import CATEGORY, combo_input, degradation_output, float_input, seed_input
from ..preview import kernel_output, mask_output, mask_size, size_from_input, with_kernel, with_mask


class SuperResolutionNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_SuperResolution",
            display_name="Super-Resolution (MAP-RPS)",
            category=CATEGORY,
            description="The image was shrunk by a whole factor; restoring enlarges it by that factor.",
            inputs=[
                io.Int.Input(
                    "factor",
                    default=SuperResolution.factor,
                    min=2,
                    max=16,
                    tooltip="How many times smaller each side became.",
                ),
                combo_input(
                    "kernel",
                    KERNELS,
                    SuperResolution.kernel,
                    "How it was shrunk. bicubic and lanczos: antialiased, as MATLAB's imresize does; bicubic "
                    "(PIL): as Pillow, which differs at the border; box: the mean of each block of pixels; gaussian: "
                    "blurred with std 0.4 x factor, then thinned out.",
                ),
            ],
            outputs=[
                degradation_output(),
                kernel_output("What one pixel of the small picture sees of the large one; white is its maximum."),
            ],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        reduction = SuperResolution(**settings)
        return with_kernel(reduction, reduction.footprint())


class ColorizationNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_Colorization",
            display_name="Colorization (MAP-RPS)",
            category=CATEGORY,
            description="Only the brightness was kept: a grey photo, which restoring colors. The measurement has one "
            "channel; a grey photo straight from Load Image will do.",
            inputs=[
                combo_input(
                    "weights",
                    ["mean", "luma"],
                    Colorization.weights,
                    "How colors became grey. mean: a third of each, as in papers; luma: 0.299 R + 0.587 G + "
                    "0.114 B, as cameras and programs do.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(Colorization(**settings))


class BayerMosaicNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_BayerMosaic",
            display_name="Bayer Mosaic (MAP-RPS)",
            category=CATEGORY,
            description="A camera's sensor measured one color at each pixel, as in a raw file; restoring finds the "
            "other two. The measurement has one channel; a raw mosaic saved as a grey picture will do.",
            inputs=[
                combo_input(
                    "pattern",
                    PATTERNS,
                    BayerMosaic.pattern,
                    "Colors of the upper left 2x2 pixels, row by row. If colors come out wrong, try another.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(BayerMosaic(**settings))


class CompressedSensingNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_CompressedSensing",
            display_name="Compressed Sensing (MAP-RPS)",
            category=CATEGORY,
            description="Fewer numbers than pixels were measured, each a sum of many pixels with signs "
            "(Walsh-Hadamard), as in a single-pixel camera. The measurement is not a picture.",
            inputs=[
                float_input(
                    "ratio", CompressedSensing.ratio, (1.0, 64.0, 0.5), "How many times fewer numbers than pixels."
                ),
                combo_input(
                    "block",
                    [str(size) for size in BLOCKS],
                    str(CompressedSensing.block),
                    "0 mixes all pixels of the image; 8 to 64 mixes those of each square block of that size.",
                ),
                combo_input(
                    "rows",
                    ["random", "first"],
                    CompressedSensing.rows,
                    "Which numbers are kept: random ones, or the first of each transform.",
                ),
                seed_input("The same seed and image size give the same measurement.", False),
                size_from_input(),
            ],
            outputs=[
                degradation_output(),
                mask_output("1 (white) where a number of the transform is not measured, 0 where it is."),
            ],
        )

    @classmethod
    def execute(cls, block: str = str(CompressedSensing.block), image=None, **settings) -> io.NodeOutput:
        return with_mask(CompressedSensing(block=int(block), **settings), *mask_size(image))


class PhaseRetrievalNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_PhaseRetrieval",
            display_name="Phase Retrieval (MAP-RPS)",
            category=CATEGORY,
            description="Only the magnitudes of the image's Fourier transform were measured, as with light scattered "
            "far away. The measurement is not a picture; the result may be upside down.",
            inputs=[
                float_input(
                    "oversample",
                    PhaseRetrieval.oversample,
                    (0.0, 8.0, 0.5),
                    "Frame around the image, on each side this many eighths of its length. Papers take 2.",
                ),
                float_input(
                    "background",
                    PhaseRetrieval.background,
                    (0.0, 1.0, 0.5),
                    "Level of the frame: 0 (black) as in DAPS, 0.5 (grey) as in DPS.",
                ),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(PhaseRetrieval(**settings))
