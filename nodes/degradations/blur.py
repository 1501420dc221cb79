from __future__ import annotations

import folder_paths
from comfy_api.latest import io

from ...operators.anisotropic_blur import AnisotropicGaussianBlur
from ...operators.bkse import BKSE
from ...operators.blur import GaussianBlur
from ...operators.boundary import BOUNDARIES
from ...operators.kernel_blur import KernelBlur
from ...operators.motion_blur import MotionBlur
from ...operators.nonlinear_blur import NonlinearBlur
from ...operators.space_varying_blur import SpaceVaryingBlur
from ..inputs import CATEGORY, DegradationType, combo_input, degradation_output, float_input, int_input, seed_input
from ..preview import kernel_output, with_kernel

NO_NETWORK = "none"
WEIGHTS = (".pth", ".pt")


def boundary_input(default: str = KernelBlur.boundary) -> io.Input:
    return combo_input(
        "boundary",
        BOUNDARIES,
        default,
        "What the blur met beyond the image's edge. reflect suits photos; papers often take circular.",
    )


def size_input(default: int, tooltip: str) -> io.Input:
    return int_input("size", default, (1, 255), f"Width of the kernel in pixels, odd. {tooltip}", step=2)


def sigma_input(name: str, default: float, tooltip: str) -> io.Input:
    return float_input(name, default, (0.1, 50.0, 0.1), f"Standard deviation of the blur {tooltip}, in pixels.")


def angle_input(default: float, tooltip: str) -> io.Input:
    return float_input(
        "angle", default, (-360.0, 360.0, 1.0), f"{tooltip}, in degrees, counter-clockwise from the horizontal."
    )


class GaussianBlurNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_GaussianBlur",
            display_name="Gaussian Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a Gaussian; restoring sharpens it.",
            inputs=[
                size_input(GaussianBlur.size, "61 is the field's usual one; beyond 6 sigma it changes little."),
                sigma_input("sigma", GaussianBlur.sigma, "in every direction"),
                boundary_input(GaussianBlur.boundary),
            ],
            outputs=[degradation_output(), kernel_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        blur = GaussianBlur(**settings)
        return with_kernel(blur, blur.kernel())


class AnisotropicBlurNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_AnisotropicBlur",
            display_name="Anisotropic Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a Gaussian that is wider in one direction than in the other; "
            "restoring sharpens it.",
            inputs=[
                size_input(
                    AnisotropicGaussianBlur.size,
                    "The Gaussian is cut off there: at 9 with sigma 20 it is nearly a flat line.",
                ),
                sigma_input("sigma_x", AnisotropicGaussianBlur.sigma_x, "along the angle"),
                sigma_input("sigma_y", AnisotropicGaussianBlur.sigma_y, "across the angle"),
                angle_input(AnisotropicGaussianBlur.angle, "Direction of sigma_x"),
                boundary_input(AnisotropicGaussianBlur.boundary),
            ],
            outputs=[degradation_output(), kernel_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        blur = AnisotropicGaussianBlur(**settings)
        return with_kernel(blur, blur.kernel())


class MotionBlurNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_MotionBlur",
            display_name="Motion Blur (MAP-RPS)",
            category=CATEGORY,
            description="The camera moved during the exposure: in a straight line (intensity 0) or shakily along a "
            "random path. Restoring sharpens it.",
            inputs=[
                float_input(
                    "length", MotionBlur.length, (0.0, 255.0, 1.0), "Of the path that a point of light drew, in pixels."
                ),
                angle_input(MotionBlur.angle, "Direction of the motion, or the one in which a shaky one sets out"),
                float_input(
                    "intensity",
                    MotionBlur.intensity,
                    (0.0, 1.0, 0.05),
                    "How shaky the hand was: 0 is a straight line, 1 wanders and turns back.",
                ),
                seed_input("The same seed gives the same path. Without effect at intensity 0.", False),
                boundary_input(MotionBlur.boundary),
            ],
            outputs=[degradation_output(), kernel_output()],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        blur = MotionBlur(**settings)
        return with_kernel(blur, blur.kernel())


class KernelBlurNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_KernelBlur",
            display_name="Kernel Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a kernel that you have as a picture: what a point of light became. "
            "Restoring sharpens it.",
            inputs=[
                io.Image.Input(
                    "kernel",
                    tooltip="A small picture: the shape that a point of light became, white on black, pixel by pixel "
                    "as large as in the photo. Its middle stays in place; its brightness does not matter.",
                ),
                boundary_input(KernelBlur.boundary),
            ],
            outputs=[degradation_output(), kernel_output()],
        )

    @classmethod
    def execute(cls, kernel, **settings) -> io.NodeOutput:
        if len(kernel) != 1:
            raise ValueError(f"There are {len(kernel)} kernels: connect one picture; it serves the whole batch.")
        grey = kernel[0, ..., :3].float().mean(-1).cpu()
        blur = KernelBlur.from_array(grey, **settings)
        return with_kernel(blur, blur.kernel())


class SpaceVaryingBlurNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_SpaceVaryingBlur",
            display_name="Space-Varying Blur (MAP-RPS)",
            category=CATEGORY,
            description="The blur changes from the middle of the image to its corners, as with a simple lens; "
            "restoring sharpens it.",
            inputs=[
                sigma_input("sigma_center", SpaceVaryingBlur.sigma_center, "in the middle of the image"),
                sigma_input("sigma_corner", SpaceVaryingBlur.sigma_corner, "in its corners"),
                boundary_input(SpaceVaryingBlur.boundary),
            ],
            outputs=[
                degradation_output(),
                kernel_output(
                    "The kernels from the middle to the corners, as a batch; white is the brightest of each."
                ),
            ],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        blur = SpaceVaryingBlur(**settings)
        return with_kernel(blur, blur.kernels())


class NonlinearBlurNode(io.ComfyNode):
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
                float_input(
                    "gamma",
                    NonlinearBlur.gamma,
                    (1.0, 5.0, 0.1),
                    "Of the camera: 2.2 is common, 1 blurs the numbers themselves.",
                ),
                float_input(
                    "exposure",
                    NonlinearBlur.exposure,
                    (1.0, 100.0, 0.1),
                    "Above 1 the sensor got that many times too much light, and bright parts are white.",
                ),
                combo_input(
                    "network",
                    [NO_NETWORK, *[file for file in files if file.lower().endswith(WEIGHTS)]],
                    NO_NETWORK,
                    "none: the settings above. Or the weights of BKSE, GOPRO_wVAE.pth, in "
                    "models/diffusion_models: then only the seed counts.",
                ),
                seed_input("Of the network's random kernel. The same seed gives the same blur.", False),
            ],
            outputs=[degradation_output()],
        )

    @classmethod
    def execute(cls, network: str = NO_NETWORK, seed: int = BKSE.seed, **settings) -> io.NodeOutput:
        if network != NO_NETWORK:
            path = folder_paths.get_full_path_or_raise("diffusion_models", network)
            return io.NodeOutput(BKSE(path, seed))
        return io.NodeOutput(NonlinearBlur(**settings))
