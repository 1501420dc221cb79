"""What newer hosts make of a node: they find it by other words, keep its preview over a reload of the page, and fold
away what few people need.

Set as attributes, for a keyword that an older host does not know would take a whole module of nodes with
it. Older hosts pass over them, and keep previews of output nodes alone.
"""

from __future__ import annotations

from comfy_api.latest import io

RESTORE = "restore, restoration, inverse problem, upscale, enlarge, unblur, deblur, denoise, sharpen, old photo"

SEARCH = {  # by node, what people type who do not know its name; names of methods for those who know them
    "MAPRPS_LoadPixelModel": "diffusion model, guided diffusion, ADM, unconditional, prior",
    "MAPRPS_Denoising": "denoise, noise, grain",
    "MAPRPS_SuperResolution": "upscale, enlarge, upsample, downscale, shrink, bicubic",
    "MAPRPS_GaussianBlur": "unblur, deblur, sharpen, defocus, out of focus",
    "MAPRPS_MotionBlur": "unblur, deblur, camera shake, shaken",
    "MAPRPS_AnisotropicBlur": "unblur, deblur, directional blur",
    "MAPRPS_KernelBlur": "unblur, deblur, deconvolution, point spread function, PSF",
    "MAPRPS_SpaceVaryingBlur": "unblur, deblur, lens, vignette",
    "MAPRPS_NonlinearBlur": "unblur, deblur, gamma, BKSE",
    "MAPRPS_Inpainting": "inpaint, scratch, remove, fill, mask",
    "MAPRPS_BoxInpainting": "inpaint, fill, rectangle",
    "MAPRPS_RandomInpainting": "inpaint, missing pixels, dead pixels, completion",
    "MAPRPS_Colorization": "colorize, color, black and white, grayscale, old photo",
    "MAPRPS_BayerMosaic": "demosaic, debayer, camera raw, color filter",
    "MAPRPS_CompressedSensing": "single pixel, Hadamard, CS",
    "MAPRPS_PhaseRetrieval": "Fourier, magnitude, phase",
    "MAPRPS_HDR": "high dynamic range, overexposed, clipped",
    "MAPRPS_JPEG": "compression, JPEG artifacts, blocks, deblock",
    "MAPRPS_Quantization": "banding, posterize, bits",
    "MAPRPS_Clipped": "saturated, overexposed, underexposed, 8 bit, night photo",
    "MAPRPS_ComposeDegradations": "chain, combine, old photo",
    "MAPRPS_StackDegradations": "two measurements, fusion, side by side",
    "MAPRPS_DegradationPreset": "DPS, DAPS, DDRM, DDNM, benchmark, paper",
    "MAPRPS_DegradationInfo": "null space, rank, conditioning, operator",
    "MAPRPS_ApplyDegradation": "degrade, damage, add noise, blur, measurement, forward model",
    "MAPRPS_EstimateNoise": "noise level, sigma, grain",
    "MAPRPS_EstimateBlur": "blind deblurring, kernel estimation, unblur",
    "MAPRPS_MAPEstimation": f"{RESTORE}, MAP-RPS, plug and play, HQS",
    "MAPRPS_RenoisedPosteriorSampling": f"{RESTORE}, MAP-RPS, DPS, PiGDM, DDRM, DDNM, MMPS, DMPS, DiffPIR",
    "MAPRPS_LoadLatentExample": "latent diffusion, small model, test",
    "MAPRPS_LatentMAPEstimation": f"{RESTORE}, LMAP-RPS, Stable Diffusion",
    "MAPRPS_LatentRenoisedPosteriorSampling": f"{RESTORE}, LMAP-RPS, PSLD, ReSample, DAPS, LDIR, DCDP",
    "MAPRPS_Sampler": "SamplerCustomAdvanced, posterior sampling, inverse problem",
    "MAPRPS_Guider": "SamplerCustomAdvanced, posterior sampling, inverse problem",
    "MAPRPS_Traversal": "distortion perception, trade-off, compare",
    "MAPRPS_Blend": "mix, interpolate",
    "MAPRPS_KeepMeasured": "color shift, color match, composite, inpaint",
    "MAPRPS_Uncertainty": "variance, confidence, invented, hallucination",
    "MAPRPS_Metrics": "PSNR, SSIM, compare, quality",
    "MAPRPS_RestorePhoto": f"{RESTORE}, enhance, repair, scratch, inpaint, super-resolution, JPEG artifacts",
    "MAPRPS_ExamplePhoto": "load image, sample, test, demo",
}

PREVIEWED = ("kernel", "mask", "picture", "credit")
"""Outputs that a node shows on itself."""
COMPARING = ("MAPRPS_RestorePhoto",)
"""Nodes that show their image before and after."""
KEEPS_PREVIEWS = hasattr(io.Schema, "has_intermediate_output")
"""Where the result is cached."""


def advanced(input: io.Input) -> io.Input:
    """The input, folded away until a person asks for it."""
    input.extra_dict = {"advanced": True}
    return input


def offer(node: type[io.ComfyNode]) -> None:
    """Has the node's schema say so."""
    define = node.define_schema

    def define_schema(cls) -> io.Schema:
        schema = define()
        schema.search_aliases = SEARCH[schema.node_id].split(", ") if schema.node_id in SEARCH else []
        previews = any(output.display_name in PREVIEWED for output in schema.outputs)
        schema.has_intermediate_output = previews or schema.node_id in COMPARING
        if schema.has_intermediate_output and not KEEPS_PREVIEWS and not needs_links(schema):
            schema.is_output_node = True
        return schema

    node.define_schema = classmethod(define_schema)


def needs_links(schema: io.Schema) -> bool:
    """Whether it can not run by itself. As an output node it would then be refused where it is not connected."""
    return any(not input.optional and not isinstance(input, io.WidgetInput) for input in schema.inputs)
