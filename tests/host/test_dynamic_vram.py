"""Newer hosts' DynamicVRAM, whose weights may be evicted between a forward and a backward pass.

On a CPU the host takes an ordinary patcher in its place. Here one stands in CoreModelPatcher's place that says of
itself what the dynamic one says, casts weights at their use as it does, and refuses to be differentiated through;
clone(), loaders and VAEs are the host's own.
"""

import inspect
import shutil

import comfy.controlnet
import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy.utils
import folder_paths
import pytest
import torch
from safetensors.torch import load_file, save_file

import nodes
from maprps.host import latent_example
from maprps.host.custom_sampling import PosteriorGuider, PosteriorSampler
from maprps.host.residency import _own, is_dynamic, resident_conditioning, resident_model, resident_vae
from maprps.host.restoration import Restoration
from maprps.host.run import UNCONDITIONAL
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import MMPS, LatentDPS, Proximal
from maprps.solvers.posterior_sampling import dpm_solver
from maprps.tools.make_random_checkpoint import make

pytestmark = [
    pytest.mark.usefixtures("as_in_a_node"),
    pytest.mark.skipif(
        "disable_dynamic" not in inspect.signature(comfy.model_patcher.ModelPatcher.clone).parameters,
        reason="this host has no DynamicVRAM",
    ),
]
GUIDANCE = ("proximal", "latent DPS", "MMPS")


class Evictable(comfy.model_patcher.ModelPatcher):
    def is_dynamic(self):
        return True

    def load(self, *args, **kwargs):
        super().load(*args, **kwargs)
        for module in self.model.modules():
            if hasattr(module, "comfy_cast_weights"):
                module.comfy_cast_weights = True
                module.register_forward_pre_hook(refuse_gradients)


def refuse_gradients(module, inputs):
    assert not torch.is_grad_enabled(), "a gradient would pass through weights that may be evicted"


@pytest.fixture(autouse=True)
def unloaded():
    yield
    comfy.model_management.unload_all_models()


@pytest.fixture
def evictable(monkeypatch):
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", Evictable)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An SD3 of random weights and a VAE of 16 channels, in fp16, where the host's loaders find them."""
    folder = tmp_path_factory.mktemp("models")
    make("sd3", folder / "sd3.safetensors")
    weights = load_file(latent_example.PATH)
    vae = {key: weight.half() for key, weight in weights.items() if not key.startswith(latent_example.UNET_PREFIX)}
    save_file(vae, folder / "vae.safetensors")
    before = {name: folder_paths.get_folder_paths(name).copy() for name in ("diffusion_models", "vae")}
    for name in before:
        folder_paths.add_model_folder_path(name, str(folder))
    yield
    for name, paths in before.items():
        folder_paths.get_folder_paths(name)[:] = paths
    shutil.rmtree(folder)


def from_files():
    """MODEL, VAE and a prompt."""
    (model,) = nodes.UNETLoader().load_unet("sd3.safetensors", "default")
    (vae,) = nodes.VAELoader().load_vae("vae.safetensors")
    generator = torch.Generator().manual_seed(1)
    prompt, pooled = torch.randn(1, 77, 4096, generator=generator), torch.randn(1, 2048, generator=generator)
    return model, vae, [[prompt, {"pooled_output": pooled}]]


def restored(model, vae, positive=None):
    """The estimate and a sample of every guidance."""
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    given = (model, vae, SuperResolution(2), y)
    latent, image, _ = LatentMAPEstimation.execute(*given, positive=positive, steps=2).args
    samples = [
        LatentRenoisedPosteriorSampling.execute(
            *given, latent, positive=positive, guidance=guidance, guidance_scale=0.001, renoise=0.2, steps=2
        ).args[1]
        for guidance in GUIDANCE
    ]
    return torch.cat([image, *samples])


def test_the_latent_example_restores_as_without(monkeypatch):
    expected = restored(*latent_example.load_latent_example())
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", Evictable)
    model, vae = latent_example.load_latent_example()
    assert is_dynamic(vae.patcher)
    assert (restored(model, vae) - expected).abs().max() <= 1e-3


def test_the_vae_gets_weights_of_its_own_at_its_first_gradient(monkeypatch):
    """Strong noise takes stage 1 none, weak noise one in its last steps, after decodings without."""
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))

    def estimates(model, vae):
        for noise_std in (0.3, 0.05):
            image = LatentMAPEstimation.execute(model, vae, SuperResolution(4), y, noise_std).args[1]
            yield image, vae.first_stage_model in _own

    expected = [image for image, _ in estimates(*latent_example.load_latent_example())]
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", Evictable)
    found, owns = zip(*estimates(*latent_example.load_latent_example()), strict=True)
    assert owns == (False, True)
    for image, same in zip(expected, found, strict=True):
        assert (image - same).abs().max() <= 1e-3


def test_the_hosts_sampling_restores_as_without(monkeypatch):
    """By Posterior Sampler and Posterior Guider. The latent example's model is never evicted, its VAE may be."""
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    sigmas, options = torch.tensor([0.2, 0.1, 0.0]), {"disable_pbar": True, "seed": 0}

    def sampled(guidance):
        model, vae = latent_example.load_latent_example()
        restoration = Restoration(model, SuperResolution(2), y, 0.05, 0, vae)
        start = torch.zeros(1, *restoration.latent_shape)
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(1))
        plain = comfy.samplers.CFGGuider(model)
        plain.set_conds(UNCONDITIONAL, UNCONDITIONAL)
        ours, hosts = PosteriorSampler(restoration, guidance, dpm_solver), comfy.samplers.ksampler("euler")
        guider = PosteriorGuider(restoration, guidance)
        return [
            plain.sample(noise, start, ours, sigmas, **options),
            guider.sample(noise, start, hosts, sigmas, **options),
        ]

    terms = Proximal(), LatentDPS(0.01), MMPS()
    expected = [latents for guidance in terms for latents in sampled(guidance)]
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", Evictable)
    found = [latents for guidance in terms for latents in sampled(guidance)]
    for latents, same in zip(expected, found, strict=True):
        assert (latents - same).abs().max() <= 1e-3


def test_models_from_files_restore_as_without(monkeypatch, files):
    expected = restored(*from_files())
    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", Evictable)
    model, vae, positive = from_files()
    assert is_dynamic(model) and is_dynamic(vae.patcher)
    assert (restored(model, vae, positive) - expected).abs().max() <= 1e-3


def test_a_file_is_read_again_once_for_all_clones_of_a_model(monkeypatch, evictable, files):
    model, vae, positive = from_files()
    read = []
    load = comfy.utils.load_torch_file
    monkeypatch.setattr(comfy.utils, "load_torch_file", lambda file, *a, **k: read.append(file) or load(file, *a, **k))
    restored(model, vae, positive)
    patched = model.clone()
    patched.model_options["transformer_options"]["mark"] = True
    restored(patched, vae, positive)
    assert len(read) == 1
    assert resident_model(patched).model_options["transformer_options"]["mark"]
    assert resident_model(patched).model is resident_model(model).model is not model.model


def test_weights_of_the_person_stay_as_they_are(evictable, files):
    model, vae, positive = from_files()
    networks = model.model, vae.first_stage_model
    before = [{key: weight.clone() for key, weight in network.state_dict().items()} for network in networks]
    restored(model, vae, positive)
    for weights, network in zip(before, networks, strict=True):
        for key, weight in network.state_dict().items():
            assert weight.dtype == weights[key].dtype and torch.equal(weight, weights[key])


def test_a_vae_gets_weights_of_its_own_type_once(evictable, files):
    _, vae, _ = from_files()
    assert vae.vae_dtype == torch.float32
    assert {weight.dtype for weight in vae.first_stage_model.parameters()} == {torch.float16}
    own = resident_vae(vae)
    assert not is_dynamic(own)
    assert {weight.dtype for weight in own.model.parameters()} == {torch.float32}
    assert resident_vae(vae).model is own.model


def test_a_model_of_another_loader_is_refused_where_it_would_be_differentiated(evictable, files):
    model, vae, positive = from_files()
    model.cached_patcher_init = None
    y = torch.rand(1, 16, 16, 3)
    given = (model, vae, SuperResolution(2), y)
    latent, _, _ = LatentMAPEstimation.execute(*given, positive=positive, steps=1).args
    with pytest.raises(ValueError, match="--disable-dynamic-vram.*'proximal'"):
        LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, guidance="latent DPS", steps=1)
    _, sample, _ = LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, steps=1).args
    assert sample.isfinite().all()


def test_control_nets_get_weights_of_their_own_once(evictable):
    first, second = (
        comfy.controlnet.ControlNet(torch.nn.Linear(2, 2), load_device=torch.device("cpu")) for _ in range(2)
    )
    second.set_previous_controlnet(first)
    conditioning = [[torch.zeros(1, 1, 2), {"control": second, "strength": 1.0}], [torch.zeros(1, 1, 2), {}]]
    (_, more), (_, plain) = resident_conditioning(conditioning)
    assert more["strength"] == 1.0 and plain == {}
    for own, control in ((more["control"], second), (more["control"].previous_controlnet, first)):
        assert not any(is_dynamic(patcher) for patcher in own.get_models())
        assert own.control_model is not control.control_model
        assert torch.equal(own.control_model.weight, control.control_model.weight)
    assert resident_conditioning(conditioning)[0][1]["control"].control_model is more["control"].control_model
    assert is_dynamic(second.control_model_wrapped)
