"""Models that see a picture beside the latents, with the host's conditioning: inpainting, instructions, upscaling."""

import comfy.samplers
import comfy_extras.nodes_ip2p as ip2p
import comfy_extras.nodes_sdupscale as sdupscale
import pytest
import torch
from labs.host_gradients import gradient_error
from labs.host_zoo import OF_VIDEO, ZOO, latent_shape, tiny_model, tiny_prompt, tiny_vae

import nodes
from maprps.host.denoiser import to_noise_std
from maprps.host.run import Conditioning, Workload, run_solver
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

pytestmark = pytest.mark.usefixtures("as_in_a_node")


def inpainting(prompts, vae, picture):
    mask = torch.zeros(picture.shape[:3])
    mask[:, 16:40, 8:32] = 1
    return nodes.InpaintModelConditioning().encode(*prompts, picture, vae, mask)[:2]


def instructions(prompts, vae, picture):
    return ip2p.InstructPixToPixConditioning.execute(*prompts, picture, vae).args[:2]


def upscaling(prompts, vae, picture):
    small = picture[:, ::4, ::4]
    return sdupscale.SD_4XUpscale_Conditioning.execute(small, *prompts, 4.0, 0.1).args[:2]


CONDITIONED = {
    "SD1.5 inpainting": inpainting,
    "SDXL inpainting": inpainting,
    "InstructPix2Pix": instructions,
    "SDXL InstructPix2Pix": instructions,
    "SD x4 upscaler": upscaling,
    "Flux Fill": inpainting,
}


@pytest.fixture(params=CONDITIONED)
def kind(request):
    """(name, MODEL, VAE, a picture, prompts that hold it)."""
    name = request.param
    model, size = tiny_model(name), ZOO[name].size
    vae = tiny_vae(name, model)
    picture = torch.rand(1, size, size, 3, generator=torch.Generator().manual_seed(5))
    prompts = CONDITIONED[name]((tiny_prompt(name), tiny_prompt(name, seed=2)), vae, picture)
    return name, model, vae, picture, dict(zip(("positive", "negative"), prompts, strict=True))


def test_both_nodes_see_the_picture(kind):
    """By the default guidance and by gradients."""
    name, model, vae, picture, prompts = kind
    y = torch.rand(1, *(n // 4 for n in picture.shape[1:3]), 3, generator=torch.Generator().manual_seed(0))
    given = (model, vae, SuperResolution(4), y)
    plain = {"positive": tiny_prompt(name), "negative": tiny_prompt(name, seed=2)}
    results = []
    for more in (prompts, plain):
        latent, image, _ = LatentMAPEstimation.execute(*given, **more, cfg=2.0, steps=2).args
        samples = [
            LatentRenoisedPosteriorSampling.execute(
                *given, latent, **more, cfg=2.0, guidance=guidance, guidance_scale=0.01, steps=2
            ).args[1]
            for guidance in ("proximal", "MMPS", "DPS")
        ]
        results.append([image, *samples])
    for with_picture, without in zip(*results, strict=True):
        assert with_picture.shape == picture.shape
        assert with_picture.isfinite().all()
        assert (with_picture - without).abs().max() > 1e-3


def test_the_denoiser_is_the_hosts(kind):
    """Its Euler step from sigma to 0 ends at what it denoised."""
    name, model, _, _, prompts = kind
    sigma, seed = 0.6, 7
    std = to_noise_std(model.get_model_object("model_sampling"), sigma)
    noise = torch.randn(latent_shape(name, model), generator=torch.Generator().manual_seed(6))
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(prompts["positive"], prompts["negative"])
    guider.set_cfg(2.0)
    euler, levels = comfy.samplers.ksampler("euler"), torch.tensor([sigma, 0.0])
    expected = guider.sample(noise, torch.zeros_like(noise), euler, levels, disable_pbar=True, seed=seed)
    found = run_solver(
        Workload(model, tuple(noise.shape)),
        lambda denoise, _: denoise(std * noise, torch.tensor([std])),
        seed,
        Conditioning(**prompts, cfg=2.0),
    )
    torch.testing.assert_close(model.model.latent_format.process_out(found), expected, atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_finite_differences(kind):
    name, model, _, _, prompts = kind
    error, network, same = gradient_error(model, latent_shape(name, model), **prompts, cfg=2.0)
    assert error < 2e-3
    assert network > 0.01
    assert same < 1e-5


@pytest.mark.parametrize("name", OF_VIDEO)
def test_a_batch_is_no_video(name):
    model = tiny_model(name)
    vae, y = tiny_vae("SD1.5", model), torch.rand(1, 16, 16, 3)
    with pytest.raises(ValueError, match="makes videos.*load a model of images") as refusal:
        LatentMAPEstimation.execute(model, vae, SuperResolution(4), y)
    assert str(refusal.value).count(". ") == 0
