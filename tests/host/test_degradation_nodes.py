"""The degradation nodes on a real server: a whole restoration, the kernel or mask that they show, what they refuse."""

import io

import folder_paths
import numpy as np
import pytest
import torch
from labs.degradations import EXAMPLES
from PIL import Image

from maprps.evaluation.quality import psnr
from maprps.host.degradation_info import inspect
from maprps.launch.client import PromptError
from maprps.nodes.degradations import DEGRADATION_NODES
from maprps.nodes.degradations.missing_pixels import BoxInpaintingNode
from maprps.operators.bayer import PATTERNS, BayerMosaic
from maprps.operators.bkse import BKSE
from maprps.operators.blur import GaussianBlur
from maprps.operators.hdr import HDR
from maprps.operators.presets import PRESETS
from maprps.operators.resampling import SuperResolution

# Inputs that a node needs, or that make it quicker or smaller; all others have the values that they come with.
INPUTS = {
    "MAPRPS_GaussianBlur": {"sigma": 1.2},
    "MAPRPS_AnisotropicBlur": {"angle": 30.0},
    "MAPRPS_MotionBlur": {"length": 7.0},
    "MAPRPS_KernelBlur": {"kernel": ["kernel", 0]},
    "MAPRPS_SpaceVaryingBlur": {"sigma_corner": 1.5},
    "MAPRPS_NonlinearBlur": {"blur": ["blur", 0], "exposure": 1.5},
    "MAPRPS_Inpainting": {"mask": ["mask", 0]},
    "MAPRPS_BoxInpainting": {"width": 0.25},
    "MAPRPS_SuperResolution": {"factor": 2},
    "MAPRPS_CompressedSensing": {"ratio": 1.5, "block": "8"},
    "MAPRPS_Clipped": {"degradation": ["blur", 0]},
    "MAPRPS_ComposeDegradations": {"first": ["blur", 0], "second": ["shrink", 0]},
    "MAPRPS_StackDegradations": {"first": ["blur", 0], "second": ["shrink", 0]},
}
NODES = {node.GET_SCHEMA().node_id: node for node in DEGRADATION_NODES}


def with_second_output(name):
    return [node_id for node_id, node in NODES.items() if name in [out.id for out in node.GET_SCHEMA().outputs[1:]]]


WITH_KERNEL, WITH_MASK = with_second_output("shown_kernel"), with_second_output("shown_mask")


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def sources():
    """What the nodes under test are fed with; only what they ask for is run."""
    return {
        "image": node("EmptyImage", width=24, height=16, batch_size=1, color=0x4080C0),
        "kernel": node("EmptyImage", width=5, height=3, batch_size=1, color=0x202020),
        "mask": node("SolidMask", value=0.0, width=24, height=16),
        "blur": node("MAPRPS_GaussianBlur", sigma=1.0),
        "shrink": node("MAPRPS_SuperResolution", factor=2, kernel="box"),
        "grey": node("MAPRPS_Colorization"),
        "model": node("MAPRPS_LoadPixelModel", model_name="MAP-RPS embedded prior"),
    }


def restored(class_type, **inputs):
    """An image is damaged by the node and restored."""
    given = {"model": ["model", 0], "degradation": ["damage", 0], "measurement": ["measure", 0], "noise_std": 0.01}
    return sources() | {
        "damage": node(class_type, **inputs),
        "measure": node("MAPRPS_ApplyDegradation", image=["image", 0], degradation=["damage", 0], noise_std=0.01),
        "view": node("PreviewImage", images=["measure", 1]),
        "map": node("MAPRPS_MAPEstimation", **given, steps=2),
        "sample": node("MAPRPS_RenoisedPosteriorSampling", **given, estimate=["map", 0], steps=2),
        "show": node("PreviewImage", images=["sample", 0]),
    }


def shown(class_type, **inputs):
    """The node alone, run for its second output."""
    return sources() | {
        "damage": node(class_type, **inputs),
        "picture": node("MaskToImage", mask=["damage", 1]),
        "show": node("PreviewImage", images=["picture", 0] if class_type in WITH_MASK else ["damage", 1]),
    }


def pictures(server, shown):
    """What a node shows, [height, width] in 0..255 each."""
    files = [server.image(item) for item in shown["images"]]
    return [np.asarray(Image.open(io.BytesIO(file)).convert("L")) for file in files]


def test_every_degradation_is_made_by_a_node(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))  # of what nodes show
    given = {
        "kernel": torch.rand(1, 3, 5, 3),
        "mask": torch.zeros(1, 16, 24),
        "blur": GaussianBlur(sigma=1.0),
        "shrink": SuperResolution(2, "box"),
    }
    made = set()
    for node_id, node_class in NODES.items():
        inputs = INPUTS.get(node_id, {}).items()
        inputs = {name: given[value[0]] if isinstance(value, list) else value for name, value in inputs}
        made.add(type(node_class.execute(**inputs).result[0]))
    presets = {type(preset.degradation) for preset in PRESETS.values()}
    assert made | presets | {BKSE} == {example.kind for example in EXAMPLES}  # BKSE: Nonlinear Blur, given its weights


@pytest.mark.parametrize("class_type", NODES)
def test_restores_what_it_damages(server, class_type):
    outputs = server.run(restored(class_type, **INPUTS.get(class_type, {})))
    (picture,) = pictures(server, outputs["show"])
    assert picture.shape == (16, 24)
    shows = class_type in [*WITH_KERNEL, *WITH_MASK, "MAPRPS_DegradationPreset"]
    assert ("damage" in outputs) == shows


@pytest.mark.parametrize("class_type", WITH_KERNEL)
def test_kernel_is_shown_at_full_brightness_and_readable(server, class_type):
    outputs = server.run(shown(class_type, **INPUTS.get(class_type, {})))
    exact, enlarged = pictures(server, outputs["show"]), pictures(server, outputs["damage"])
    assert len(exact) == len(enlarged) == (5 if class_type == "MAPRPS_SpaceVaryingBlur" else 1)
    for small, large in zip(exact, enlarged, strict=True):
        assert small.max() == 255
        factor = large.shape[0] // small.shape[0]
        assert max(large.shape) >= 192
        assert np.array_equal(large, np.kron(small, np.ones((factor, factor), np.uint8)))


@pytest.mark.parametrize("class_type", ["MAPRPS_MotionBlur", "MAPRPS_RandomInpainting"])
def test_what_a_node_shows_is_there_when_its_result_is_cached(server, class_type):
    """For a page that was opened anew and has nothing of the run before."""
    prompt, cached = shown(class_type), []
    first = server.run(prompt)
    again = server.submit(prompt).outputs(
        lambda kind, data: cached.extend(data["nodes"] if kind == "execution_cached" else ())
    )
    assert "damage" in cached and again["damage"]["images"] == first["damage"]["images"]


@pytest.mark.parametrize("class_type", WITH_MASK)
def test_mask_is_shown_at_the_size_asked_for(server, class_type):
    size = {} if class_type == "MAPRPS_Inpainting" else {"image": ["image", 0]}
    outputs = server.run(shown(class_type, **INPUTS.get(class_type, {}), **size))
    (mask,), (enlarged,) = pictures(server, outputs["show"]), pictures(server, outputs["damage"])
    assert mask.shape == (16, 24)
    assert np.array_equal(enlarged, np.kron(mask, np.ones((8, 8), np.uint8)))
    missing = {"Inpainting": 0, "BoxInpainting": 6 * 8, "RandomInpainting": 192, "CompressedSensing": 128}
    assert (mask == 255).sum() == missing[class_type.removeprefix("MAPRPS_")]


def test_box_in_pixels_is_shown_without_knowing_the_image(server):
    """However far to the right it lies."""
    outputs = server.run(shown("MAPRPS_BoxInpainting", width=30.0, height=20.0, left=500.0, top=1.0, unit="pixels"))
    (mask,) = pictures(server, outputs["show"])
    assert (mask[1:21, 500:530] == 255).all() and (mask == 255).sum() == 600


@pytest.mark.parametrize("at", [{}, {"left": 4096.0, "top": 8192.0}])
def test_a_box_in_a_large_image_is_shown_small(at):
    box, mask = BoxInpaintingNode.execute(width=8192.0, height=4096.0, unit="pixels", **at).args
    assert (box.width, box.height, box.left, box.top) == (8192, 4096, at.get("left"), at.get("top"))
    assert mask.shape[-1] <= 1024
    rows, columns = mask[0].any(1).nonzero(), mask[0].any(0).nonzero()
    assert len(columns) == pytest.approx(2 * len(rows), abs=2)
    if at:
        assert rows[0] == pytest.approx(2 * columns[0], abs=2) and columns[0] == pytest.approx(len(rows), abs=2)


def test_kernel_output_is_a_kernel(server):
    """Fed to Kernel Blur it makes the same measurement."""
    prompt = sources() | {
        "straight": node("MAPRPS_MotionBlur", length=6.0, angle=20.0, intensity=0.0),
        "again": node("MAPRPS_KernelBlur", kernel=["straight", 1]),
    }
    for name in ("straight", "again"):
        measure = node("MAPRPS_ApplyDegradation", image=["edge", 0], degradation=[name, 0], noise_std=0.0)
        prompt[f"{name} measure"] = measure
        prompt[f"{name} show"] = node("PreviewImage", images=[f"{name} measure", 1])
    prompt["edge"] = node("ImagePadForOutpaint", image=["image", 0], left=8, top=0, right=8, bottom=0, feathering=0)
    outputs = server.run(prompt)
    first, second = (pictures(server, outputs[f"{name} show"])[0] for name in ("straight", "again"))
    assert np.ptp(first) > 5  # there is an edge
    assert abs(first.astype(int) - second).max() <= 1


def test_grey_photo_loaded_as_rgb_is_colorized(server):
    """Three equal channels are what Load Image makes of a grey file."""
    file = io.BytesIO()
    Image.fromarray(np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)).save(file, "PNG")
    name = server.upload_image("grey.png", file.getvalue())
    given = {"degradation": ["grey", 0], "measurement": ["load", 0], "noise_std": 0.01}
    prompt = sources() | {
        "load": node("LoadImage", image=name),
        "map": node("MAPRPS_MAPEstimation", model=["model", 0], **given, steps=2),
        "metrics": node("MAPRPS_Metrics", image=["map", 0], reference=["load", 0], **given),
    }
    assert "residual/noise" in server.run(prompt)["metrics"]["text"][0]


@pytest.mark.parametrize(
    "class_type, inputs, reason",
    [
        ("MAPRPS_KernelBlur", {"kernel": ["black", 0]}, "lets light through"),
        ("MAPRPS_KernelBlur", {"kernel": ["two", 0]}, "2 kernels: connect one"),
        ("MAPRPS_BoxInpainting", {"left": 0.75, "image": ["image", 0]}, "move it or make it smaller"),
        ("MAPRPS_BoxInpainting", {"width": 24.5, "unit": "pixels"}, "whole numbers"),
        ("MAPRPS_BoxInpainting", {"width": 30.0}, "numbers from 0 to 1"),
        ("MAPRPS_BoxInpainting", {"width": 1.0, "height": 1.0}, "hides every pixel"),
    ],
)
def test_impossible_damage_is_refused_in_a_sentence(server, class_type, inputs, reason):
    prompt = shown(class_type, **inputs)
    prompt["black"] = node("EmptyImage", width=5, height=5, batch_size=1, color=0)
    prompt["two"] = node("EmptyImage", width=5, height=5, batch_size=2, color=0x202020)
    with pytest.raises(PromptError, match=reason) as failed:
        server.run(prompt)
    assert failed.value.node_id == "damage"


def restored_from(measurement, degradation):
    given = {"degradation": [degradation, 0], "measurement": [measurement, 0], "model": ["model", 0]}
    return sources() | {
        "rgba": node("JoinImageWithAlpha", image=["image", 0], alpha=["mask", 0]),
        "map": node("MAPRPS_MAPEstimation", **given, steps=2),
        "show": node("PreviewImage", images=["map", 0]),
    }


def test_measurement_with_colors_is_refused_where_grey_is_asked_for(server):
    with pytest.raises(PromptError, match="take the colors out") as failed:
        server.run(restored_from("image", "grey"))
    assert failed.value.node_id == "map"


def test_measurement_with_alpha_is_as_good_as_its_colors(server):
    shown = [server.run(restored_from(measurement, "blur"))["show"]["images"][0] for measurement in ("image", "rgba")]
    colors, with_alpha = (np.asarray(Image.open(io.BytesIO(server.image(item)))) for item in shown)
    assert np.array_equal(colors, with_alpha)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bayer_mosaic_is_restored_better_than_by_interpolation(server, photos, pattern):
    """A photo's middle, its mosaic loaded as the RGB picture that a grey file becomes."""
    (path,) = [path for path in photos if path.stem == "dahlia"]
    with Image.open(path) as picture:
        left, top = ((side - 64) // 2 for side in picture.size)
        clean = np.array(picture.convert("RGB").crop((left, top, left + 64, top + 64)))
    x = torch.from_numpy(clean / np.float32(255)).movedim(-1, 0)[None]
    operator = BayerMosaic(pattern).build(3, 64, 64)
    mosaic = (operator(x) + 0.01 * torch.randn(1, 1, 64, 64)).clamp(0, 1)
    file = io.BytesIO()
    Image.fromarray((mosaic[0, 0] * 255).round().byte().numpy()).save(file, "PNG")
    name = server.upload_image(f"mosaic {pattern}.png", file.getvalue())
    given = {"degradation": ["mosaic", 0], "measurement": ["load", 0], "noise_std": 0.01}
    prompt = sources() | {
        "load": node("LoadImage", image=name),
        "mosaic": node("MAPRPS_BayerMosaic", pattern=pattern),
        "map": node("MAPRPS_MAPEstimation", model=["model", 0], **given),
        "show": node("PreviewImage", images=["map", 0]),
    }
    (item,) = server.run(prompt)["show"]["images"]
    restored = np.array(Image.open(io.BytesIO(server.image(item))).convert("RGB")) / np.float32(255)
    guess = operator.initial_guess(mosaic).movedim(1, -1)
    given, found = (float(psnr(image, x.movedim(1, -1))) for image in (guess, torch.from_numpy(restored)[None]))
    assert found > given + 1


def test_preset_gives_its_degradation_its_noise_and_its_source(server):
    preset = "DPS inpainting, random"
    measure = {"image": ["image", 0], "degradation": ["preset", 0], "noise_std": ["preset", 1]}
    prompt = sources() | {
        "preset": node("MAPRPS_DegradationPreset", preset=preset, seed=4),
        "measure": node("MAPRPS_ApplyDegradation", **measure),
        "view": node("PreviewImage", images=["measure", 1]),
        "text": node("PreviewAny", source=["preset", 2]),
    }
    text = server.run(prompt)["text"]["text"][0]
    assert "noise_std 0.025: published as 0.05 for images in -1..1" in text and "source: DPS" in text


@pytest.mark.parametrize("image", [{}, {"image": ["image", 0]}], ids=["rings", "image"])
def test_info_of_a_closed_form_is_exact(server, image):
    info = node("MAPRPS_DegradationInfo", degradation=["shrink", 0], width=24, height=16, **image)
    shown = server.run(sources() | {"info": info})["info"]
    assert "rank: 288 of 1152" in shown["text"][0]  # 12 x 8 pixels of 3 channels
    assert "norm (largest singular value): 0.5\n" in shown["text"][0]
    assert "nonzero): 1\n" in shown["text"][0]
    (picture,) = pictures(server, shown)
    assert picture.shape[1] > 3 * 192


def test_nothing_of_a_black_image_is_unseen():
    for degradation in (SuperResolution(2), HDR()):
        assert "unseen part of this image: 0.0%" in inspect(degradation, torch.zeros(1, 8, 8, 3)).text


def test_info_says_what_it_did_not_compute(server):
    motion = node("MAPRPS_MotionBlur", length=5.0)
    info = node("MAPRPS_DegradationInfo", degradation=["motion", 0], width=32, height=32)
    shown = server.run(sources() | {"motion": motion, "info": info})["info"]
    assert "rank and conditioning: not computed" in shown["text"][0]


def test_nonlinear_blur_of_what_is_no_blur_is_refused(server):
    prompt = restored("MAPRPS_NonlinearBlur", blur=["hdr", 0])
    prompt["hdr"] = node("MAPRPS_HDR")
    with pytest.raises(PromptError, match="made from a linear one") as failed:
        server.run(prompt)
    assert failed.value.node_id == "measure"
