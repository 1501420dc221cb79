from __future__ import annotations

import math
from functools import reduce

import torch
from comfy_api.latest import io
from torch import Tensor

from ..estimation import Damage, estimate_noise, find_damage, least
from ..estimation.damage import CERTAIN
from ..estimation.jpeg_quality import JPEGTrace
from ..estimation.softness import Softness
from ..host.images import to_channels_first
from ..host.match import keep_known, match_colors
from ..host.pixel_model import as_host_model
from ..host.prompts import positive_or_empty
from ..host.restoration import Restoration, estimate_map, sample_posterior
from ..models import load_embedded
from ..operators import Degradation
from ..operators.blur import GaussianBlur
from ..operators.compose import Compose
from ..operators.denoising import Denoising
from ..operators.inpainting import Inpainting
from ..operators.jpeg import luma_tables
from ..operators.resampling import SuperResolution
from .choices import GUIDANCE, METHODS, SAMPLERS, SCALES, Kind
from .inputs import CFG, DegradationType, combo_input, prompt_inputs, renoise_input, seed_input
from .map_estimation import describe
from .posterior_sampling import SCALE
from .preview import before_and_after

FIND_OUT = "find out"
DAMAGES = {  # what is there, by what a person says is wrong
    FIND_OUT: {"noise", "JPEG", "blur"},
    "noise": {"noise"},
    "JPEG": {"JPEG"},
    "blur": {"blur"},
    "noise and blur": {"noise", "blur"},
    "JPEG and blur": {"JPEG", "blur"},
    "nothing": set(),
}
ENLARGE = {"x1": 1, "x2": 2, "x4": 4}
LEAST_NOISE, LEAST_BLUR, JPEG_UNSEEN = 0.015, 0.8, JPEGTrace(75, 0.02)  # of what a person says is there
CLEAN = 0.005  # noise_std of a clean photo: it was rounded, and not shrunk in exactly this way
GAUSSIAN, DISK = 0.95, 1.2
"""Std of the Gaussian that is undone, over that of the blur that was found. A little too small leaves blur, a little
too large makes rings; a disk is undone best by a Gaussian that is wider."""
KNOWN_BLUR, UNKNOWN_BLUR = 0.01, 0.02  # the least noise_std for a Gaussian, and for what is or may be no Gaussian


class RestorePhoto(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MAPRPS_RestorePhoto",
            display_name="Restore Photo (MAP-RPS)",
            category="MAP-RPS",
            description="A photo in, a better photo out: finds noise, JPEG compression and blur, and takes them away; "
            "fills in what a mask hides; enlarges. Where it is not sure that something is wrong, it leaves it.",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The photo as it is, straight from Load Image; several if they are damaged alike."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 (white) over scratches, folds and stains: right-click Load Image > Open in MaskEditor. "
                    "What is not painted stays as it is if nothing else is wrong.",
                ),
                combo_input("enlarge", ENLARGE, "x1", "How many times as large."),
                combo_input(
                    "damage",
                    DAMAGES,
                    FIND_OUT,
                    "What is wrong with the photo, beside the mask. find out: looked for, and believed where it is "
                    "certain; text says what was found. The others: this is there, as strong as it looks, and nothing "
                    "else.",
                ),
                renoise_input(0.0, "0.02 to 0.2 is the useful range in pixels, 0.1 to 0.6 with a VAE"),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="A pixel model, or with vae a latent one such as Stable Diffusion. Unconnected: the small "
                    "prior that comes with the pack.",
                ),
                io.Vae.Input("vae", optional=True, tooltip="Of a latent model: the VAE from its checkpoint."),
                *prompt_inputs(),
                seed_input("Only for renoise above 0.", control_after_generate=False),
            ],
            outputs=[
                io.Image.Output("restored", display_name="image", tooltip="The restored photo."),
                io.String.Output(
                    "text",
                    display_name="text",
                    tooltip="What was taken to be wrong and how sure that is, for Preview as Text.",
                ),
                io.Image.Output(
                    "estimate", display_name="estimate", tooltip="The MAP estimate: the same with renoise 0."
                ),
                DegradationType.Output(
                    "degradation", display_name="degradation", tooltip="What was taken to be wrong, to go on by hand."
                ),
                io.Float.Output(
                    "noise_std", display_name="noise_std", tooltip="What was taken for the noise, to go on by hand."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image,
        mask=None,
        enlarge="x1",
        damage=FIND_OUT,
        renoise=0.0,
        model=None,
        vae=None,
        positive=None,
        negative=None,
        cfg=CFG,
        clip=None,
        seed=0,
    ) -> io.NodeOutput:
        kind: Kind = "pixel" if vae is None else "latent"
        holes = painted(mask)
        found = look_at(image, holes)
        degradation, noise_std = as_degradation(believed(found, damage, image), ENLARGE[enlarge], holes)
        lines = found.describe() if damage == FIND_OUT else [f"taken to be wrong, as you say: {damage}"]
        if noise_std == 0:
            text = "\n".join([*lines, "nothing to restore: the photo is returned as it is"])
            shown = {"text": (text,)} | before_and_after(image, image)
            return io.NodeOutput(image, text, image, degradation, CLEAN, ui=shown)
        if model is None:
            model = as_host_model(load_embedded())
        positive = positive_or_empty(positive, clip)
        restoration = Restoration(model, degradation, image, noise_std, seed, vae, positive, negative, cfg)

        def finished(result: Tensor) -> Tensor:
            if kind == "latent":
                result = match_colors(result, restoration.problem())
            only_holes = isinstance(degradation, Inpainting) and noise_std <= CLEAN
            return keep_known(result, degradation, image, 0) if only_holes else result

        restored, report = estimate_map(restoration, METHODS.of(kind)[METHODS.default])
        estimate = result = finished(restored.image)
        if renoise > 0:
            start = restored.image if kind == "pixel" else restored.latents
            sampler, sigmas = SAMPLERS[SAMPLERS.default](restoration, renoise, 0, SCALES[SCALES.default])
            term = GUIDANCE.of(kind)[GUIDANCE.default](SCALE[kind])
            result = finished(sample_posterior(restoration, start, sigmas, term, sampler).image)
        lines += [f"restored as: {degradation.describe()}; noise_std {noise_std:.3g}", describe(report)]
        text = "\n".join(lines)
        shown = {"text": (text,)} | before_and_after(image, result)
        return io.NodeOutput(result, text, estimate, degradation, noise_std, ui=shown)


def painted(mask: Tensor | None) -> Inpainting | None:
    """None for no mask, or the empty one that the host gives a photo without."""
    return None if mask is None or not (mask > 0.5).any() else Inpainting.from_mask(mask.cpu())


def look_at(image: Tensor, holes: Inpainting | None) -> Damage:
    """What is wrong with all of the images."""
    planes = to_channels_first(image).cpu()
    _, channels, height, width = planes.shape
    if channels != 3:
        raise ValueError(f"The photo has {channels} channels: give it as RGB.")
    filled, missing = planes, torch.zeros(height, width, dtype=torch.bool)
    if holes is not None:
        filled = holes.build(3, height, width).initial_guess(planes)
        missing = torch.from_numpy(holes.missing())
    steps = luma_tables()
    return least(find_damage(one, full, missing, steps) for one, full in zip(planes, filled, strict=True))


def believed(found: Damage, damage: str, image: Tensor) -> Damage:
    """What is certain of what was found; or that alone which a person says is there, at least a little of it."""
    if damage == FIND_OUT:
        return Damage(found.noise, found.jpeg, found.blur if found.soft else None)
    told = DAMAGES[damage]
    noise = jpeg = blur = None
    if "noise" in told:
        noise = max(LEAST_NOISE, estimate_noise(image).noise_std if found.noise is None else found.noise)
    if "JPEG" in told:
        jpeg = found.jpeg or JPEG_UNSEEN
    if "blur" in told:
        blur = found.blur if found.blur and found.blur.std >= LEAST_BLUR else Softness(LEAST_BLUR, CERTAIN)
    return Damage(noise, jpeg, blur)


def as_degradation(damage: Damage, factor: int, holes: Inpainting | None) -> tuple[Degradation, float]:
    """The degradation, in the order in which it happens (lens, sensor, scratches), and its noise std, of which JPEG is
    a part; 0 where nothing is wrong."""
    parts: list[Degradation] = []
    noise_std = damage.noise_std if damage.noisy or damage.jpeg else 0.0
    if damage.blur:
        sigma = (DISK if damage.blur.disk else GAUSSIAN) * damage.blur.std * factor
        parts.append(GaussianBlur(2 * math.ceil(4 * sigma) + 1, sigma))
        noise_std = max(noise_std, UNKNOWN_BLUR if damage.blur.disk or damage.jpeg else KNOWN_BLUR)
    if factor > 1:
        parts.append(SuperResolution(factor))
    if holes is not None:
        parts.append(holes)
    if parts:
        noise_std = max(noise_std, CLEAN)
    return reduce(Compose, parts) if parts else Denoising(), noise_std
