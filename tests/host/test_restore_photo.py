"""Restore Photo, on the real server and in process: what it takes for wrong is what is done, and nothing more."""

import re
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from maprps.estimation import Damage
from maprps.estimation.jpeg_quality import JPEGTrace
from maprps.estimation.softness import Softness
from maprps.evaluation import psnr
from maprps.host.latent_example import load_latent_example
from maprps.host.pixel_model import as_host_model
from maprps.launch.client import PromptError
from maprps.models import load_embedded
from maprps.nodes.map_estimation import MAPEstimation, advise
from maprps.nodes.posterior_sampling import RenoisedPosteriorSampling
from maprps.nodes.preview import COMPARED
from maprps.nodes.restore_photo import DAMAGES, RestorePhoto, as_degradation, believed
from maprps.operators.blur import GaussianBlur
from maprps.operators.compose import Compose
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.map_estimation import Estimate

MASK = torch.zeros(1, 96, 112)
MASK[:, 20:24, 10:90] = 1


@pytest.fixture
def clean(photo):
    """IMAGE [1, 96, 112, 3]."""
    return photo("dahlia")[:, 60:156, 50:162]


def eight_bit(image):
    return (image.clamp(0, 1) * 255).round() / 255


def restore(image, *given, **more):
    with torch.inference_mode():
        return RestorePhoto.execute(image, *given, **more).result


def test_a_clean_photo_comes_back_as_it_is(clean):
    image, text, estimate, degradation, noise_std = restore(clean)
    assert torch.equal(image, clean) and torch.equal(estimate, clean)
    assert degradation == Denoising() and noise_std > 0 and "returned as it is" in text


def test_noise_is_taken_away_as_the_single_nodes_do_it(clean):
    noisy = eight_bit(clean + 0.08 * torch.randn(clean.shape))
    image, text, estimate, degradation, noise_std = restore(noisy, renoise=0.1, seed=3)
    assert degradation == Denoising() and noise_std == pytest.approx(0.08, rel=0.1)
    with torch.inference_mode():
        model = as_host_model(load_embedded())
        by_hand = MAPEstimation.execute(model, degradation, noisy, noise_std).result[0]
        sample = RenoisedPosteriorSampling.execute(model, degradation, noisy, by_hand, noise_std, 0.1, seed=3).result[0]
    assert torch.equal(estimate, by_hand) and torch.equal(image, sample)
    assert float(psnr(estimate, clean)) > float(psnr(noisy, clean)) + 5
    assert "noise: std 0.0" in text and "certain" in text


def test_scratches_are_filled_and_every_known_pixel_stays(clean):
    scratched = torch.where(MASK[..., None] > 0.5, 1.0, clean)
    image, _, estimate, degradation, _ = restore(scratched, MASK, renoise=0.1)
    assert degradation == Inpainting.from_mask(MASK)
    known = MASK[0] == 0
    assert torch.equal(image[0][known], clean[0][known]) and torch.equal(estimate[0][known], clean[0][known])
    assert float(psnr(estimate, clean)) > 35


def test_an_empty_mask_is_none(clean):
    assert torch.equal(restore(clean, torch.zeros(1, 64, 64))[0], clean)


def test_a_mask_of_another_size_is_refused(clean):
    with pytest.raises(ValueError, match="resize one"):
        restore(clean, torch.ones(1, 64, 64).tril())


def test_enlarged_beyond_bicubic(photo):
    truth = photo("dahlia")
    shrunk = SuperResolution(2).build(3, *truth.shape[1:3])(truth.movedim(-1, 1))
    small = eight_bit(shrunk.movedim(1, -1))
    image, _, _, degradation, _ = restore(small, enlarge="x2")
    bicubic = torch.nn.functional.interpolate(small.movedim(-1, 1), scale_factor=2, mode="bicubic").movedim(1, -1)
    assert degradation == SuperResolution(2) and image.shape == truth.shape
    assert float(psnr(image, truth)) > float(psnr(bicubic, truth)) + 0.3


def test_damages_come_in_the_order_in_which_they_happen():
    holes = Inpainting.from_mask(MASK)
    degradation, noise_std = as_degradation(Damage(0.03, None, Softness(2.0, 200.0)), 2, holes)
    assert isinstance(degradation, Compose) and isinstance(degradation.first, Compose)
    assert [type(part) for part in (degradation.first.first, degradation.first.second, degradation.second)] == [
        GaussianBlur, SuperResolution, Inpainting
    ]  # fmt: skip
    assert degradation.image_size(96, 112) == (192, 224) and noise_std == 0.03
    assert 3 < degradation.first.first.sigma <= 4  # of the enlarged photo's pixels
    assert as_degradation(Damage(), 1, None) == (Denoising(), 0.0)
    _, compressed = as_degradation(Damage(jpeg=JPEGTrace(20, 0.04)), 1, None)
    assert compressed == pytest.approx(0.048)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("noise", [None, 0.002, 0.02])
def test_what_a_person_says_is_believed_and_nothing_else(damage, noise, clean):
    told = believed(Damage(noise, JPEGTrace(50, 0.03), Softness(0.3, 0.0)), damage, clean)
    if damage == "find out":
        assert told.noise == noise and told.jpeg and told.blur is None
    else:
        there = {"noise": told.noise, "JPEG": told.jpeg, "blur": told.blur}
        assert {name for name, value in there.items() if value is not None} == DAMAGES[damage]
        assert told.blur is None or told.soft
        assert (as_degradation(told, 1, None)[1] > 0) == (damage != "nothing")


def test_a_wrong_word_is_answered_with_the_right_ones(clean):
    with pytest.raises(ValueError, match="damage is 'scratch': choose one of find out, "):
        restore(clean, damage="scratch")
    with pytest.raises(ValueError, match="enlarge is 'x3': choose one of x1, x2, x4"):
        restore(clean, enlarge="x3")


def test_several_photos_are_restored_alike(clean):
    both = eight_bit(torch.cat([clean, clean.flip(2)]) + 0.05 * torch.randn(2, 96, 112, 3))
    image, *_, noise_std = restore(both)
    assert image.shape == both.shape and noise_std == pytest.approx(0.05, rel=0.1)


def test_grey_without_color_channels_is_refused(clean):
    with pytest.raises(ValueError, match="give it as RGB"):
        restore(clean[..., :1])


@pytest.mark.slow
def test_latent_models_restore_too_and_need_their_vae(clean):
    with torch.inference_mode():
        model, vae = load_latent_example()
    noisy = eight_bit(clean + 0.08 * torch.randn(clean.shape))
    image, *_ = restore(noisy, model=model, vae=vae)
    assert float(psnr(image, clean)) > float(psnr(noisy, clean)) + 2
    with pytest.raises(ValueError, match="latent model"):
        restore(noisy, model=model)


def report(residual):
    return Estimate(torch.zeros(1, 3, 8, 8), 8, torch.tensor([residual]), torch.tensor([0.01]))


def test_the_residual_advises_on_noise_std():
    assert "set noise_std near 0.015" in advise(report(0.3), 0.05)
    assert "set" not in advise(report(0.54), 0.01)  # the right one for some photo that was shrunk to half
    assert "set noise_std near 0.036" in advise(report(1.8), 0.02)
    assert "set" not in advise(report(0.95), 0.05)
    assert "set" not in advise(report(0.3), 0.002)  # there is no less


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def test_a_photo_in_a_better_photo_out_on_the_server(server):
    outputs = server.run(
        {
            "photo": node("MAPRPS_ExamplePhoto", photo="coffee_holes"),
            "small": node(
                "ImageScale", image=["photo", 0], upscale_method="area", width=96, height=64, crop="disabled"
            ),
            "blur": node("ImageBlur", image=["small", 0], blur_radius=3, sigma=1.5),
            "restore": node("MAPRPS_RestorePhoto", image=["blur", 0], damage="blur", enlarge="x2", renoise=0.05),
            "show": node("PreviewImage", images=["restore", 0]),
            "text": node("PreviewAny", source=["restore", 1]),
            "info": node("MAPRPS_DegradationInfo", degradation=["restore", 3], image=["restore", 2]),
        }
    )
    assert outputs["restore"]["text"] == outputs["text"]["text"]
    assert re.search(r"restored as: Gaussian blur.*super-resolution x2.*noise_std 0\.0[12]", outputs["text"]["text"][0])
    assert len(outputs["show"]["images"]) == 1 and "measurement: 96x64" in outputs["info"]["text"][0]


def pixels(server, item):
    return np.asarray(Image.open(BytesIO(server.image(item))))


@pytest.mark.parametrize("damage", ["noise", "nothing"])
def test_the_ui_output_has_the_first_images_before_and_after(server, damage):
    """As pictures of the host's folder for what is temporary, like those of Preview Image."""
    outputs = server.run(
        {
            "photo": node("MAPRPS_ExamplePhoto", photo="coffee"),
            "small": node("ImageScale", image=["photo", 0], upscale_method="area", width=96, height=64, crop="center"),
            "batch": node("RepeatImageBatch", image=["small", 0], amount=COMPARED + 1),
            "restore": node("MAPRPS_RestorePhoto", image=["batch", 0], damage=damage),
            "given": node("PreviewImage", images=["batch", 0]),
            "restored": node("PreviewImage", images=["restore", 0]),
        }
    )
    for name, same in ("before", "given"), ("after", "restored"):
        shown = outputs["restore"][name]
        assert len(shown) == COMPARED and all(item["type"] == "temp" for item in shown)
        for item, other in zip(shown, outputs[same]["images"], strict=False):
            assert (pixels(server, item) == pixels(server, other)).all()


def test_it_tells_the_server_what_to_change(server):
    prompt = {
        "photo": node("MAPRPS_ExamplePhoto", photo="cat"),
        "mask": node("SolidMask", value=1.0, width=336, height=224),
        "restore": node("MAPRPS_RestorePhoto", image=["photo", 0], mask=["mask", 0]),
        "show": node("PreviewImage", images=["restore", 0]),
    }
    with pytest.raises(PromptError, match="hides every pixel") as failed:
        server.run(prompt)
    assert failed.value.node_id == "restore"
