"""True shapes through the host's own loaders: files of tools/make_random_checkpoint.py, in process, 128 px.

What the models compute means nothing; that it is the host's computation, and that its gradients are right, does.
"""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import comfy.model_management
import comfy.samplers
import comfy.supported_models
import folder_paths
import node_helpers
import pytest
import torch
from comfy.model_base import ModelType
from comfy_extras.nodes_hooks import CreateHookLora
from labs.host_gradients import decoder_gradient_error, gradient_error

import nodes
from maprps.host import run
from maprps.host.degrade import residual_in_noise
from maprps.host.restoration import Restoration
from maprps.host.run import Conditioning, Workload, run_solver
from maprps.host.tiles import WHOLE, Cut
from maprps.host.vae import HostVAE
from maprps.nodes.custom_sampling import PosteriorGuiderNode
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution
from maprps.solvers import proximal
from maprps.tools import ROOT, make_random_checkpoint
from maprps.tools.make_random_checkpoint import KINDS, make

pytestmark = [pytest.mark.usefixtures("as_in_a_node"), pytest.mark.slow]

DIFFUSION_MODELS = {
    "sd21": (comfy.supported_models.SD20, ModelType.V_PREDICTION),
    "sdxl": (comfy.supported_models.SDXL, ModelType.EPS),
    "sd3": (comfy.supported_models.SD3, ModelType.FLOW),
}
CONTEXT = {"sd21": (1024, 1024), "sdxl": (2048, 1280), "sd3": (4096, 2048)}
"""Widths of a prompt's tokens and of its pooled vector."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Where the host finds a file named after its kind; gone after the tests."""
    folder = tmp_path_factory.mktemp("models")
    before = {name: folder_paths.get_folder_paths(name).copy() for _, name, _ in KINDS.values()}
    for name in before:
        folder_paths.add_model_folder_path(name, str(folder))

    def file(kind: str) -> str:
        name = f"{kind}.safetensors"
        if not (folder / name).exists():
            make(kind, folder / name)
        return name

    yield file
    for name, paths in before.items():
        folder_paths.get_folder_paths(name)[:] = paths
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def sd15(files):
    """What a person has loaded: a checkpoint, two prompts; and the same with a LoRA and a ControlNet attached."""
    with torch.inference_mode():
        model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint(files("sd15"))
        prompts = [nodes.CLIPTextEncode().encode(clip, text)[0] for text in ("a cat on a sofa", "")]
        patched, patched_clip = nodes.LoraLoader().load_lora(model, clip, files("lora"), 1.0, 1.0)
        (net,) = nodes.ControlNetLoader().load_controlnet(files("controlnet"))
        hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
        controlled = nodes.ControlNetApplyAdvanced().apply_controlnet(*prompts, net, hint, 1.0, 0.0, 1.0)
    yield SimpleNamespace(
        model=model,
        clip=clip,
        vae=vae,
        prompts=prompts,
        patched=patched,
        patched_clip=patched_clip,
        controlled=controlled,
    )
    comfy.model_management.unload_all_models()


@pytest.fixture(scope="module")
def diffusion_model(files):
    """(MODEL, positive) of a kind that comes without a text encoder: the prompt is random."""

    def load(kind: str):
        tokens, pooled = CONTEXT[kind]
        generator = torch.Generator().manual_seed(1)
        with torch.inference_mode():
            (model,) = nodes.UNETLoader().load_unet(files(kind), "default")
            prompt = torch.randn(1, 77, tokens, generator=generator)
            return model, [[prompt, {"pooled_output": torch.randn(1, pooled, generator=generator)}]]

    yield load
    comfy.model_management.unload_all_models()


def latent_shape(model):
    return 1, model.model.latent_format.latent_channels, 16, 16


def denoised(model, sigma=0.5, **conditioning):
    """The guider's x0 at a fixed x of that noise level."""

    def solve(denoise, callback):
        x = torch.randn(latent_shape(model), generator=torch.Generator().manual_seed(2)) * (1 + sigma**2) ** 0.5
        return denoise(x, torch.full((1,), sigma))

    return run_solver(Workload(model, latent_shape(model)), solve, 0, Conditioning(**conditioning))


def test_checkpoint_is_stable_diffusion_of_full_size(sd15):
    model = sd15.model.model
    assert isinstance(model.model_config, comfy.supported_models.SD15)
    assert model.model_type == ModelType.EPS
    counts = [sum(p.numel() for p in m.parameters()) for m in (model.diffusion_model, sd15.vae.first_stage_model)]
    assert counts == [859_520_964, 83_653_863]  # as published, of UNet and VAE


def test_prompts_differ(sd15):
    positive, negative = (prompt[0][0] for prompt in sd15.prompts)
    assert positive.shape == (1, 77, 768)
    assert (positive - negative).std() > 0.1 * positive.std()
    (patched,) = nodes.CLIPTextEncode().encode(sd15.patched_clip, "a cat on a sofa")
    assert 0.01 < (patched[0][0] - positive).norm() / positive.norm() < 1


def test_vae_uses_the_range_of_pixels(sd15):
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(4))
    comfy.model_management.load_models_gpu([sd15.vae.patcher])
    pixels = sd15.vae.first_stage_model.decode(latents / 0.18215)
    assert pixels.shape == (1, 3, 128, 128)
    assert pixels.mean().abs() < 0.5 and 0.2 < pixels.std() < 1


def test_lora_and_controlnet_count(sd15):
    positive, negative = sd15.prompts
    plain = denoised(sd15.model, positive=positive, negative=negative, cfg=3.0)
    patched = denoised(sd15.patched, positive=positive, negative=negative, cfg=3.0)
    controlled = denoised(sd15.patched, positive=sd15.controlled[0], negative=sd15.controlled[1], cfg=3.0)
    for result in (plain, patched, controlled):
        assert result.isfinite().all()
    for before, after in ((plain, patched), (patched, controlled)):
        assert 0.01 < (after - before).norm() / before.norm() < 1


@pytest.mark.parametrize("case", ["plain", "LoRA and ControlNet", "both, checkpointed"])
def test_gradients_are_those_of_finite_differences(sd15, monkeypatch, case):
    positive, negative = sd15.prompts if case == "plain" else sd15.controlled
    model = sd15.model if case == "plain" else sd15.patched
    if "checkpointed" in case:
        monkeypatch.setattr(run, "MODEL_GRAPH", float("inf"))
    error, network, _ = gradient_error(model, latent_shape(model), positive=positive, negative=negative, cfg=3.0)
    assert error < 2e-3
    assert network > 0.1


def test_gradients_with_a_lora_hook(sd15, files):
    """The LoRA is put on while sampling, and gives what the loader's does."""
    (hook,) = CreateHookLora().create_hook(files("lora"), 1.0, 0.0)
    (prompt, _) = sd15.prompts
    hooked = node_helpers.conditioning_set_values(prompt, {"hooks": hook})
    assert torch.equal(denoised(sd15.model, positive=hooked), denoised(sd15.patched, positive=prompt))
    error, *_ = gradient_error(sd15.model, latent_shape(sd15.model), positive=hooked)
    assert error < 2e-3
    with pytest.raises(ValueError, match="different LoRA hooks"):
        gradient_error(sd15.model, latent_shape(sd15.model), positive=hooked, negative=prompt, cfg=3.0)


@pytest.mark.parametrize("kind", DIFFUSION_MODELS)
def test_host_detects(diffusion_model, kind):
    model, _ = diffusion_model(kind)
    config, parametrization = DIFFUSION_MODELS[kind]
    assert type(model.model.model_config) is config
    assert model.model.model_type == parametrization


@pytest.mark.parametrize("kind", DIFFUSION_MODELS)
def test_denoiser_follows_the_published_parametrization(diffusion_model, kind):
    """From what the network is given and returns, x0 by the definitions of DDPM, of v (Salimans & Ho 2022) and of
    rectified flow (Liu et al. 2022)."""
    model, positive = diffusion_model(kind)
    seen = []
    handle = model.model.diffusion_model.register_forward_hook(
        lambda network, given, result: seen.append((*given[:2], result))
    )
    sampling = model.get_model_object("model_sampling")
    x = torch.randn(latent_shape(model), generator=torch.Generator().manual_seed(5))
    for level in (0, 400, 999) if kind != "sd3" else (1e-3, 0.4, 0.9):
        if kind == "sd3":
            time, sigma = 1000 * level, level / (1 - level)
            state = (1 - level) * x
        else:
            time, sigma = level, float(sampling.sigmas[level])
            state = x / (1 + sigma**2) ** 0.5
        workload, conditioning = Workload(model, tuple(x.shape)), Conditioning(positive)
        result = run_solver(workload, lambda denoise, _, s=sigma: denoise(x, torch.full((1,), s)), 0, conditioning)
        given, timestep, output = seen[-1]
        if kind == "sd3":
            expected = state - level * output
        elif kind == "sdxl":
            expected = x - sigma * output
        else:
            expected = (state - sigma * output) / (1 + sigma**2) ** 0.5
        assert (given - state).norm() <= 1e-5 * state.norm()
        assert abs(float(timestep) - time) <= 1e-3 * max(time, 1)
        assert output.std() > 0.05
        assert (result - expected).norm() <= 1e-5 * max(1.0, sigma) * x.norm()
        if sigma < 0.05:
            assert (result - x).norm() <= 0.1 * x.norm()
    handle.remove()


@pytest.mark.parametrize("kind", DIFFUSION_MODELS)
def test_gradients_of_other_parametrizations(diffusion_model, kind):
    model, positive = diffusion_model(kind)
    error, network, _ = gradient_error(model, latent_shape(model), positive=positive)
    assert error < 2e-3
    assert network > 0.1


@pytest.mark.parametrize("tiled", [False, True], ids=["whole", "tiles"])
def test_gradients_through_the_vae(sd15, monkeypatch, tiled):
    """Of the decoder as the solvers use it, against a central difference along a random direction."""
    vae = HostVAE(sd15.vae, sd15.model, (125, 128))
    monkeypatch.setattr(vae, "plan", lambda *_: None)
    vae.cut = vae.gradient_cut = Cut(12, 4) if tiled else WHOLE
    assert decoder_gradient_error(vae, sd15.model, positive=sd15.prompts[0]) <= 5e-3


def test_both_latent_nodes_with_lora_and_controlnet(sd15, monkeypatch):
    """With random weights there is nothing to see, but the estimate explains the measurement better than its start."""
    monkeypatch.setattr(proximal, "DECODER_EVALUATIONS", 4)
    degradation = SuperResolution(4)
    y = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    given = (sd15.patched, sd15.vae, degradation, y)
    prompts = {"positive": sd15.controlled[0], "negative": sd15.controlled[1], "cfg": 1.5}
    latent, image, text = LatentMAPEstimation.execute(*given, **prompts, steps=1).args
    assert latent["samples"].shape == (1, 4, 16, 16)
    assert image.shape == (1, 128, 128, 3)
    restoration = Restoration(sd15.patched, degradation, y, 0.05, 0, sd15.vae, **prompts)
    problem = restoration.problem()

    def start(denoise, callback):
        start = problem.encoder(problem.operator.initial_guess(problem.measurement))
        return restoration.restored(start, denoise, "initial guess")

    pictures = restoration.run(start).image, image
    residuals = [residual_in_noise(x, restoration.operator, y, 0.05)[1] for x in pictures]
    assert residuals[1] < residuals[0]
    for guidance in ("proximal", "latent DPS"):
        samples, sampled, _ = LatentRenoisedPosteriorSampling.execute(
            *given, latent, **prompts, guidance=guidance, guidance_scale=0.001, renoise=0.2, steps=1
        ).args
        assert samples["samples"].shape == (1, 4, 16, 16)
        assert torch.isfinite(sampled).all()


def test_a_clip_stands_in_for_an_empty_prompt(sd15, monkeypatch):
    monkeypatch.setattr(proximal, "DECODER_EVALUATIONS", 2)
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    given = (sd15.model, sd15.vae, SuperResolution(4), y)
    with pytest.raises(ValueError, match="'clip'"):
        LatentMAPEstimation.execute(*given, steps=1)
    by_clip, by_hand = (
        LatentMAPEstimation.execute(*given, steps=1, **prompt).args[1]
        for prompt in ({"clip": sd15.clip}, {"positive": sd15.prompts[1]})
    )
    assert torch.equal(by_clip, by_hand)


def test_a_guider_needs_no_negative_prompt_at_cfg_1(sd15, diffusion_model, monkeypatch):
    """Of a model whose prompts have a pooled vector, too."""
    monkeypatch.setattr(proximal, "DECODER_EVALUATIONS", 2)
    model, positive = diffusion_model("sdxl")
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    (guider,) = PosteriorGuiderNode.execute(model, SuperResolution(4), y, sd15.vae, positive=positive).args
    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([0.5, 0.0])
    latent = torch.zeros(1, 4, 8, 8)
    assert guider.sample(latent, latent, sampler, sigmas, seed=0).isfinite().all()


def test_one_file_for_one_seed(tmp_path, capsys):
    files = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        make_random_checkpoint.main(["sd3", str(file), "--seed", str(seed)])
    assert "UNETLoader reads it from models/diffusion_models" in capsys.readouterr().out
    first, again, other = (file.read_bytes() for file in files)
    assert first == again != other


@pytest.mark.parametrize("file, reason", [("x.ckpt", "end in .safetensors"), ("missing/x.safetensors", "no folder")])
def test_tool_says_what_is_wrong(tmp_path, capsys, file, reason):
    with pytest.raises(SystemExit):
        make_random_checkpoint.main(["sd3", str(tmp_path / file)])
    assert reason in capsys.readouterr().err


def test_tool_needs_to_know_the_host():
    environment = {name: value for name, value in os.environ.items() if name != "COMFYUI_PATH"}
    tool = [sys.executable, "-m", "tools.make_random_checkpoint", "sd3", "x.safetensors"]
    done = subprocess.run(tool, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("COMFYUI_PATH is not set")
