"""Estimate Noise and Estimate Blur on a real server: from a damaged photo to a restored one, with nothing known."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve

from maprps.launch.client import PromptError
from maprps.operators.motion_blur import MotionBlur

NOISE = 0.01


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


@pytest.fixture(scope="module")
def shaken():
    """The middle of a photo, moved by 12 px at 30 degrees, with noise, as a PNG file."""

    def make(path):
        clean = np.array(Image.open(path).convert("RGB"))[40:200, 60:220] / 255
        kernel = MotionBlur(12.0, 30.0, 0.0).kernel().numpy()
        blurred = convolve(clean, kernel[..., None], mode="reflect")
        noisy = blurred + NOISE * np.random.default_rng(0).standard_normal(blurred.shape)
        file = io.BytesIO()
        Image.fromarray((noisy.clip(0, 1) * 255).round().astype(np.uint8)).save(file, "PNG")
        return file.getvalue()

    return make


@pytest.fixture
def photo(server, photos, shaken):
    """A prompt's first node: the shaken photo, loaded."""
    (path,) = [path for path in photos if path.stem == "astronaut"]
    return {"photo": node("LoadImage", image=server.upload_image("shaken.png", shaken(path)))}


def picture(server, shown):
    (item,) = shown["images"]
    return np.asarray(Image.open(io.BytesIO(server.image(item))).convert("L"))


def test_a_damaged_photo_is_restored_with_nothing_known(server, photo):
    given = {"model": ["model", 0], "degradation": ["blur", 0], "measurement": ["photo", 0], "noise_std": ["noise", 0]}
    outputs = server.run(
        photo
        | {
            "model": node("MAPRPS_LoadPixelModel", model_name="MAP-RPS embedded prior"),
            "noise": node("MAPRPS_EstimateNoise", image=["photo", 0]),
            "blur": node("MAPRPS_EstimateBlur", photo=["photo", 0], size=21),
            "kernel": node("PreviewImage", images=["blur", 1]),
            "text": node("PreviewAny", source=["blur", 2]),
            "info": node("MAPRPS_DegradationInfo", degradation=["blur", 0], image=["photo", 0]),
            "map": node("MAPRPS_MAPEstimation", **given, steps=2),
            "show": node("PreviewImage", images=["map", 0]),
        }
    )
    assert picture(server, outputs["show"]).shape == (160, 160)
    noise_std = float(re.match(r"1\. noise_std (0\.\d+)", outputs["noise"]["text"][0]).group(1))
    assert noise_std == pytest.approx(NOISE, rel=0.2)
    text = outputs["blur"]["text"][0]
    assert outputs["text"]["text"][0].splitlines()[0] == text.splitlines()[0]
    motion, angle = re.search(r"straight motion of (\d+) px at (\d+) degrees", text).groups()
    assert float(motion) == pytest.approx(12, abs=2) and float(angle) == pytest.approx(30, abs=8)
    assert "given kernel of 21x21 px, reflect boundary" in outputs["info"]["text"][0]
    exact, shown = picture(server, outputs["kernel"]), picture(server, outputs["blur"])
    assert exact.shape == (21, 21) and exact.max() == 255
    assert np.array_equal(shown, np.kron(exact, np.ones((10, 10), np.uint8)))


def test_mask_of_the_noise_is_heeded(server, photo):
    masked = node("MAPRPS_EstimateNoise", image=["photo", 0], mask=["mask", 0])
    prompt = photo | {"noise": masked, "mask": node("SolidMask", value=1.0, width=160, height=160)}
    with pytest.raises(PromptError, match="No part of the image") as failed:
        server.run(prompt)
    assert failed.value.node_id == "noise"


def test_it_shows_its_progress(server, photo, counts_to):
    events = server.submit(photo | {"blur": node("MAPRPS_EstimateBlur", photo=["photo", 0], size=9)}).events()
    steps = [data["value"] for kind, data in events if kind == "progress" and data["node"] == "blur"]
    assert counts_to(steps, 264)  # shapes of up to 9 px that are tried, rounds of climbs, costs of edges


@pytest.mark.parametrize(
    "image, inputs, reason",
    [
        (node("EmptyImage", width=64, height=64, batch_size=2, color=0x202020), {}, "2 photos"),
        (node("EmptyImage", width=64, height=64, batch_size=1, color=0x202020), {}, "No edges"),
        (node("EmptyImage", width=64, height=40, batch_size=1, color=0x202020), {}, "64x40 pixels, too small"),
    ],
)
def test_photos_without_a_blur_to_find_are_refused(server, image, inputs, reason):
    with pytest.raises(PromptError, match=reason) as failed:
        server.run({"photo": image, "blur": node("MAPRPS_EstimateBlur", photo=["photo", 0], **inputs)})
    assert failed.value.node_id == "blur"
