"""The prompt (API form) that restores a photo that is damaged already."""

from dataclasses import dataclass

PHOTO, MASK, RESULT = "photo", "mask", "result"  # ids of the nodes that load the two, and that shows what came out
_MODEL = "MAP-RPS embedded prior"


@dataclass(frozen=True)
class Settings:
    """What a person has chosen; None where the photo or the node decides.

    degradation: "deblur" or "denoise"; enlarge: how many times, 1 for not at all; noise_std: of the photo, on the
    scale 0..1; renoise: 0 for the estimate, which is faithful, up to 1 for a sample, which is sharp; steps: of the
    sample, 0 for the node's own number.
    """

    degradation: str | None = None
    enlarge: int = 1
    noise_std: float | None = None
    renoise: float = 0.0
    steps: int = 0
    seed: int = 0

    @property
    def finds_out(self) -> bool:
        """Whether nothing is said of the damage, so that Restore Photo looks for it; it enlarges 1, 2 or 4 times."""
        said = self.degradation is not None or self.noise_std is not None or self.steps > 0
        return not said and self.enlarge in (1, 2, 4)

    def text(self, mask: bool) -> str:
        """In a line, for people."""
        damage = [*(["deblur"] if self.degradation == "deblur" else []), *(["mask"] if mask else [])]
        damage += [f"enlarge {self.enlarge}"] if self.enlarge > 1 else []
        if self.finds_out:
            parts = [" + ".join(["found out", *damage])]
        else:
            parts = [" + ".join(damage) or "denoise"]
            parts += ["noise_std " + ("estimated" if self.noise_std is None else f"{self.noise_std:g}")]
        parts += [f"renoise {self.renoise:g}"]
        parts += [f"steps {self.steps}"] if self.steps else []
        parts += [f"seed {self.seed}"]
        return ", ".join(parts)


def restoration_prompt(photo: str, mask: str | None, settings: Settings) -> dict:
    """Restores `photo` and shows it at the node RESULT, which saves nothing; both names are files that Load Image
    finds, at PHOTO and MASK.

    mask: white where the photo is scratched. Scratches alone are filled in, and every other pixel stays as it is.
    """
    nodes: dict[str, dict] = {}

    def node(node_id: str, class_type: str, title: str, **inputs) -> list:
        """Adds a node. Returns its first output."""
        nodes[node_id] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}
        return [node_id, 0]

    measurement = node(PHOTO, "LoadImage", "Photo", image=photo)
    missing = mask and node(MASK, "LoadImageMask", "Mask", image=mask, channel="red")
    if settings.finds_out:
        inputs = {"enlarge": f"x{settings.enlarge}", "renoise": settings.renoise, "seed": settings.seed}
        inputs |= {"mask": missing} if missing else {}
        restored = node("restored", "MAPRPS_RestorePhoto", "Restore Photo", image=measurement, **inputs)
        node(RESULT, "PreviewImage", "Result", images=restored)
        return nodes
    model = node("model", "MAPRPS_LoadPixelModel", "Load Pixel Model", model_name=_MODEL)

    damages = []  # in the order in which they came upon the photo
    if settings.degradation == "deblur":
        damages.append(node("blur", "MAPRPS_EstimateBlur", "Estimate Blur", photo=measurement))
    if settings.enlarge > 1:
        shrunk = node("shrunk", "MAPRPS_SuperResolution", "Super-Resolution", factor=settings.enlarge)
        damages.append(shrunk)
    if missing:
        damages.append(node("scratches", "MAPRPS_Inpainting", "Inpainting", mask=missing))
    degradation = damages[0] if damages else node("noise", "MAPRPS_Denoising", "Denoising")
    for number, damage in enumerate(damages[1:], 2):
        inputs = {"first": degradation, "second": damage}
        degradation = node(f"damage {number}", "MAPRPS_ComposeDegradations", "Compose Degradations", **inputs)

    noise_std: list | float | None = settings.noise_std
    if noise_std is None:
        looked_at = {"image": measurement} | ({"mask": missing} if missing else {})
        noise_std = node("noise_std", "MAPRPS_EstimateNoise", "Estimate Noise", **looked_at)
    measured = {"degradation": degradation, "measurement": measurement, "noise_std": noise_std}
    problem = {"model": model, "seed": settings.seed, **measured}
    restored = node("estimate", "MAPRPS_MAPEstimation", "MAP Estimation", **problem)
    if settings.renoise:
        stage = {"estimate": restored, "renoise": settings.renoise, "steps": settings.steps}
        sampling = "MAPRPS_RenoisedPosteriorSampling"
        restored = node("sample", sampling, "Re-noised Posterior Sampling", **problem, **stage)
    if missing and len(damages) == 1 and settings.degradation is None:
        known = {"keep_colors": False, "keep_known": True, "feather": 0}
        restored = node("kept", "MAPRPS_KeepMeasured", "Keep Measured", image=restored, **measured, **known)
    node(RESULT, "PreviewImage", "Result", images=restored)
    return nodes
