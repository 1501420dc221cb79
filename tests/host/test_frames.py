"""Frames of a clip as a batch, and photos of several sizes as the host's lists."""

import io

import comfy.samplers
import comfy_extras.nodes_custom_sampler as custom
import pytest
import torch
from labs.gaussian import PowerLawPrior
from labs.host_models import analytic_model
from PIL import Image

from maprps.host.custom_sampling import PosteriorGuider, PosteriorSampler
from maprps.host.pixel_model import as_host_model
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.host.schedule import few_step_sigmas
from maprps.models import load_embedded
from maprps.nodes.restore_photo import RestorePhoto
from maprps.operators.denoising import Denoising
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import Proximal
from maprps.solvers.map_estimation import Annealed
from maprps.solvers.posterior_sampling import dpm_solver, stochastic_adams

SIZE, STD = 16, 0.1
SIZES = (64, 48), (80, 96), (52, 40)


pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.fixture(scope="module")
def prior():
    return PowerLawPrior(size=SIZE)


@pytest.fixture
def clip(prior):
    """Three frames of a scene that changes a little, and evenly: [3, H, W, 3]."""
    generator = torch.Generator().manual_seed(0)
    scene, change = ((prior.draw(3, generator).view(SIZE, SIZE, 3) + 1) / 2 for _ in range(2))
    return scene + 0.02 * change * torch.arange(3.0).view(3, 1, 1, 1)


def nodes(model, y, samples=1):
    """Samples of both nodes' own stage."""
    restoration = Restoration(model, Denoising(), y, STD, 3)
    sigmas = few_step_sigmas(restoration, 1.0, 12)
    sampled = sample_posterior(restoration, y, sigmas, Proximal(), stochastic_adams, samples)
    return sampled.image.view(len(y), samples, SIZE, SIZE, 3)


def custom_sampling(model, y, samples=1, frames=True, solver=stochastic_adams):
    """The same of the host's SamplerCustomAdvanced, by our sampler."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[None, {}]], [[None, {}]])
    restoration = Restoration(model, Denoising(), y, STD, 0)
    return sampled_by(restoration, guider, PosteriorSampler(restoration, Proximal(), solver, frames), samples)


def guided_sampling(model, y, samples=1, frames=True, sampler="euler_ancestral"):
    """The same by our guider, with a sampler of the host's."""
    restoration = Restoration(model, Denoising(), y, STD, 0)
    guider = PosteriorGuider(restoration, Proximal(), frames)
    return sampled_by(restoration, guider, comfy.samplers.sampler_object(sampler), samples)


def sampled_by(restoration, guider, sampler, samples):
    y = restoration.measurement
    latent = torch.zeros(len(y) * samples, 3, SIZE, SIZE)
    sigmas = torch.tensor([*few_step_sigmas(restoration, 1.0, 12)])
    sampled = custom.SamplerCustomAdvanced.execute(
        custom.Noise_RandomNoise(3), guider, sampler, sigmas, {"samples": latent}
    )[0]["samples"]
    return (sampled.movedim(1, -1).view(len(y), samples, SIZE, SIZE, 3) + 1) / 2


@pytest.mark.parametrize("sample", [nodes, custom_sampling, guided_sampling])
def test_frames_alike_are_restored_alike(prior, clip, sample):
    """Bit by bit; and several samples of a frame differ all the same."""
    sampled = sample(analytic_model(prior), clip[:1].repeat(3, 1, 1, 1), samples=2)
    assert torch.equal(sampled[0], sampled[1]) and torch.equal(sampled[0], sampled[2])
    assert (sampled[0, 0] - sampled[0, 1]).norm() > 0.1 * sampled[0, 0].norm()


@pytest.mark.parametrize("sample", [nodes, custom_sampling, guided_sampling])
def test_frames_change_as_much_as_the_scene(prior, clip, sample):
    """Where the prior is Gaussian a sample is affine in the measurement and the noise: with one noise for all, a scene
    that changes evenly gives samples that do, to rounding. Their mean contracts: they change no more than the scene."""
    model = analytic_model(prior)
    first, second, third = sample(model, clip)
    assert ((third - second) - (second - first)).abs().max() <= 1e-4 * first.abs().max()
    assert 0 < (second - first).norm() < (clip[1] - clip[0]).norm()


def test_noise_of_the_hosts_differs_where_it_is_not_asked_otherwise(prior, clip):
    model = analytic_model(prior)
    for solver in (dpm_solver, stochastic_adams):
        fixed, free = (custom_sampling(model, clip, frames=frames, solver=solver) for frames in (True, False))
        assert (fixed[1] - fixed[0]).norm() < 0.2 * (free[1] - free[0]).norm()
        assert torch.equal(fixed[0], free[0])  # the noise is that of the first


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_frames_alike_are_restored_alike_by_any_sampler_of_the_hosts(prior, clip, sampler):
    """Bit by bit, whatever it draws on the way, and as the first of them alone. Without `frames` they differ."""
    model, still = analytic_model(prior), clip[:1].repeat(3, 1, 1, 1)
    fixed, free = (guided_sampling(model, still, frames=frames, sampler=sampler) for frames in (True, False))
    alone = guided_sampling(model, clip[:1], frames=False, sampler=sampler)
    assert torch.equal(fixed[0], fixed[1]) and torch.equal(fixed[0], fixed[2])
    assert (fixed[0] - alone[0]).abs().max() <= 1e-4 * alone.abs().max()
    assert (free[0] - free[1]).norm() > 0.01 * free[0].norm()


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_sde", "lcm"])
def test_a_clip_flickers_less_by_our_guider_with_one_noise(prior, clip, sampler):
    """And the host's samplers draw as before once it has run."""
    model = analytic_model(prior)
    before = guided_sampling(model, clip, frames=False, sampler=sampler)
    fixed, free = (guided_sampling(model, clip, frames=frames, sampler=sampler) for frames in (True, False))
    assert (fixed[1] - fixed[0]).norm() < 0.2 * (free[1] - free[0]).norm()
    assert torch.equal(before, free)


def test_frames_of_a_clip_do_not_flicker_on_photos(photo):
    """The embedded network, all of Restore Photo: the same frame twice, in a batch, and alone."""
    frame = photo("dahlia")[:, 60:124, 50:114] + 0.08 * torch.randn(1, 64, 64, 3)
    given = {"renoise": 0.2, "damage": "noise", "seed": 5}
    twice = RestorePhoto.execute(frame.repeat(2, 1, 1, 1), **given).result[0]
    alone = RestorePhoto.execute(frame, **given).result[0]
    assert torch.equal(twice[0], twice[1])
    assert (twice[:1] - alone).abs().max() <= 1e-5


@pytest.mark.parametrize("count", [2, 5, 9])
def test_images_of_a_batch_are_independent_whatever_its_length(count):
    """Both stages on the embedded network, each image alone and among others that have nothing to do with it."""
    model = as_host_model(load_embedded())
    y = torch.rand(count, 8, 8, 3)

    def run(y):
        restoration = Restoration(model, SuperResolution(2, "box"), y, 0.05, 1)
        estimate, _ = estimate_map(restoration, Annealed(steps=3))
        sigmas = few_step_sigmas(restoration, 0.2, 3)
        sample = sample_posterior(restoration, estimate.image, sigmas, Proximal(), stochastic_adams)
        return torch.cat([estimate.image, sample.image], dim=-1)

    together = run(y)
    for i in (0, count // 2, count - 1):
        assert (run(y[i : i + 1])[0] - together[i]).abs().max() <= 1e-5


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


@pytest.fixture
def folder(server, photo):
    """A folder of the server's with a photo of each size."""
    for i, (width, height) in enumerate(SIZES):
        piece = photo("dahlia")[0, i : i + height, :width]
        buffer = io.BytesIO()
        Image.fromarray((piece * 255).round().byte().numpy()).save(buffer, "PNG")
        server.upload_image(f"{i}.png", buffer.getvalue(), "sizes")
    return "sizes"


def sizes_of(server, shown):
    return sorted(Image.open(io.BytesIO(server.image(item))).size for item in shown["images"])


def enlarged(factor):
    return sorted((factor * width, factor * height) for width, height in SIZES)


@pytest.mark.slow
def test_photos_of_several_sizes_go_through_as_a_list(server, folder):
    """A folder, damaged, estimated, sampled, judged and restored, each photo in its own size."""
    problem = {"degradation": ["down", 0], "measurement": ["damage", 0], "noise_std": 0.02}
    prior = {"model": ["prior", 0], **problem}
    outputs = server.run(
        {
            "photos": node("LoadImageDataSetFromFolder", folder=folder),
            "prior": node("MAPRPS_LoadPixelModel", model_name="MAP-RPS embedded prior"),
            "down": node("MAPRPS_SuperResolution", factor=2),
            "damage": node("MAPRPS_ApplyDegradation", image=["photos", 0], degradation=["down", 0], noise_std=0.02),
            "map": node("MAPRPS_MAPEstimation", **prior, steps=4),
            "rps": node("MAPRPS_RenoisedPosteriorSampling", **prior, estimate=["map", 0], renoise=0.1, steps=3),
            "kept": node("MAPRPS_KeepMeasured", image=["rps", 0], **problem),
            "walk": node("MAPRPS_Traversal", **prior, estimate=["map", 0], levels="0, 0.1", steps=3),
            "score": node("MAPRPS_Metrics", image=["kept", 0], reference=["photos", 0], **problem),
            "restore": node("MAPRPS_RestorePhoto", image=["photos", 0], enlarge="x2", renoise=0.05),
            "small": node("PreviewImage", images=["damage", 0]),
            "same": node("PreviewImage", images=["kept", 0]),
            "large": node("PreviewImage", images=["restore", 0]),
            "plot": node("PreviewImage", images=["walk", 2]),
        }
    )
    halves = sorted((width // 2, height // 2) for width, height in SIZES)
    assert sizes_of(server, outputs["small"]) == halves
    assert sizes_of(server, outputs["same"]) == enlarged(1)
    assert sizes_of(server, outputs["large"]) == enlarged(2)
    assert len(outputs["plot"]["images"]) == len(SIZES)
    for name in ("map", "rps", "walk", "score", "restore"):
        assert len(outputs[name]["text"]) == len(SIZES), name


@pytest.mark.slow
def test_a_mask_of_its_own_for_each_photo_of_a_list(server, folder):
    """Masks and degradations as lists too: the host's Image To Mask, and a kernel that is one for all."""
    problem = {"model": ["latent", 0], "vae": ["latent", 1], "degradation": ["both", 0], "measurement": ["damage", 0]}
    outputs = server.run(
        {
            "photos": node("LoadImageDataSetFromFolder", folder=folder),
            "mask": node("ImageToMask", image=["photos", 0], channel="red"),
            "holes": node("ThresholdMask", mask=["mask", 0], value=0.8),
            "inpaint": node("MAPRPS_Inpainting", mask=["holes", 0]),
            "blur": node("MAPRPS_GaussianBlur", size=5, sigma=1.0),
            "both": node("MAPRPS_ComposeDegradations", first=["blur", 0], second=["inpaint", 0]),
            "damage": node("MAPRPS_ApplyDegradation", image=["photos", 0], degradation=["both", 0], noise_std=0.01),
            "latent": node("MAPRPS_LoadLatentExample"),
            "map": node("MAPRPS_LatentMAPEstimation", **problem, steps=3),
            "rps": node("MAPRPS_LatentRenoisedPosteriorSampling", **problem, estimate=["map", 0], steps=3),
            "restore": node("MAPRPS_RestorePhoto", image=["photos", 0], mask=["holes", 0]),
            "sampled": node("PreviewImage", images=["rps", 1]),
            "restored": node("PreviewImage", images=["restore", 0]),
        }
    )
    assert sizes_of(server, outputs["sampled"]) == enlarged(1)
    assert sizes_of(server, outputs["restored"]) == enlarged(1)
