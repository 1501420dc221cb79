from __future__ import annotations

from comfy_api.latest import io

from ...operators import anisotropic_blur, blur, kernel_blur, motion_blur, space_varying_blur
from ...operators.boundary import BOUNDARIES
from ..preview import kernel_output, with_kernel
from ..types import CATEGORY, DegradationType, seed_input


def boundary_input() -> io.Input:
    return io.Combo.Input(
        "boundary",
        options=list(BOUNDARIES),
        default="reflect",
        optional=True,
        tooltip="What the blur met beyond the image's edge. reflect suits photos; papers often take circular.",
    )


def size_input(default: int, tooltip: str) -> io.Input:
    return io.Int.Input(
        "size",
        default=default,
        min=1,
        max=255,
        step=2,
        optional=True,
        tooltip=f"Width of the kernel in pixels, odd. {tooltip}",
    )


def sigma_input(name: str, default: float, tooltip: str) -> io.Input:
    return io.Float.Input(
        name,
        default=default,
        min=0.1,
        max=50.0,
        step=0.1,
        optional=True,
        tooltip=f"Standard deviation of the blur {tooltip}, in pixels.",
    )


def angle_input(tooltip: str) -> io.Input:
    return io.Float.Input(
        "angle",
        default=0.0,
        min=-360.0,
        max=360.0,
        step=1.0,
        optional=True,
        tooltip=f"{tooltip}, in degrees, counter-clockwise from the horizontal.",
    )


class GaussianBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_GaussianBlur",
            display_name="Gaussian Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a Gaussian; restoring sharpens it.",
            inputs=[
                size_input(61, "61 is the field's usual one; beyond 6 sigma it changes little."),
                sigma_input("sigma", 3.0, "in every direction"),
                boundary_input(),
            ],
            outputs=[DegradationType.Output(), kernel_output()],
        )

    @classmethod
    def execute(cls, size: int = 61, sigma: float = 3.0, boundary: str = "reflect") -> io.NodeOutput:
        degradation = blur.GaussianBlur(size=size, sigma=sigma, boundary=boundary)
        return with_kernel(degradation, degradation.kernel())


class MotionBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_MotionBlur",
            display_name="Motion Blur (MAP-RPS)",
            category=CATEGORY,
            description="The camera moved during the exposure: in a straight line (intensity 0) or shakily along a "
            "random path. Restoring sharpens it.",
            inputs=[
                io.Float.Input(
                    "length",
                    default=40.0,
                    min=0.0,
                    max=255.0,
                    step=1.0,
                    optional=True,
                    tooltip="Of the path that a point of light drew, in pixels.",
                ),
                angle_input("Direction of the motion, or the one in which a shaky one sets out"),
                io.Float.Input(
                    "intensity",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="How shaky the hand was: 0 is a straight line, 1 wanders and turns back.",
                ),
                seed_input("The same seed gives the same path. Without effect at intensity 0.", False),
                boundary_input(),
            ],
            outputs=[DegradationType.Output(), kernel_output()],
        )

    @classmethod
    def execute(cls, length=40.0, angle=0.0, intensity=0.5, seed=0, boundary="reflect") -> io.NodeOutput:
        degradation = motion_blur.MotionBlur(length, angle, intensity, seed, boundary)
        return with_kernel(degradation, degradation.kernel())


class AnisotropicBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_AnisotropicBlur",
            display_name="Anisotropic Blur (MAP-RPS)",
            category=CATEGORY,
            description="The image was blurred by a Gaussian that is wider in one direction than in the other; "
            "restoring sharpens it.",
            inputs=[
                size_input(9, "The Gaussian is cut off there: at 9 with sigma 20 it is nearly a flat line."),
                sigma_input("sigma_x", 20.0, "along the angle"),
                sigma_input("sigma_y", 1.0, "across the angle"),
                angle_input("Direction of sigma_x"),
                boundary_input(),
            ],
            outputs=[DegradationType.Output(), kernel_output()],
        )

    @classmethod
    def execute(cls, size=9, sigma_x=20.0, sigma_y=1.0, angle=0.0, boundary="reflect") -> io.NodeOutput:
        degradation = anisotropic_blur.AnisotropicGaussianBlur(size, sigma_x, sigma_y, angle, boundary)
        return with_kernel(degradation, degradation.kernel())


class KernelBlur(io.ComfyNode):
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
                boundary_input(),
            ],
            outputs=[DegradationType.Output(), kernel_output()],
        )

    @classmethod
    def execute(cls, kernel, boundary: str = "reflect") -> io.NodeOutput:
        if len(kernel) != 1:
            raise ValueError(f"There are {len(kernel)} kernels: connect one picture; it serves the whole batch.")
        grey = kernel[0, ..., :3].float().mean(-1).cpu()
        degradation = kernel_blur.KernelBlur.from_array(grey, boundary)
        return with_kernel(degradation, degradation.kernel())


class SpaceVaryingBlur(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_SpaceVaryingBlur",
            display_name="Space-Varying Blur (MAP-RPS)",
            category=CATEGORY,
            description="The blur changes from the middle of the image to its corners, as with a simple lens; "
            "restoring sharpens it.",
            inputs=[
                sigma_input("sigma_center", 0.5, "in the middle of the image"),
                sigma_input("sigma_corner", 4.0, "in its corners"),
                boundary_input(),
            ],
            outputs=[
                DegradationType.Output(),
                kernel_output(
                    "The kernels from the middle to the corners, as a batch; white is the brightest of each."
                ),
            ],
        )

    @classmethod
    def execute(cls, sigma_center=0.5, sigma_corner=4.0, boundary="reflect") -> io.NodeOutput:
        degradation = space_varying_blur.SpaceVaryingBlur(sigma_center, sigma_corner, boundary)
        return with_kernel(degradation, degradation.kernels())
