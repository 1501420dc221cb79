"""What a gradient through the VAE needs is made when the first one is taken, and not where none is."""

import comfy.model_management
import comfy.samplers
import numpy as np
import pytest
import torch
from labs.host_attachments import with_attachments
from PIL import Image

from maprps.host.custom_sampling import PosteriorGuider
from maprps.host.latent_example import load_latent_example
from maprps.host.residency import _own
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import Proximal
from maprps.solvers.map_estimation import Encoded
from maprps.solvers.posterior_sampling import dpm_solver

pytestmark = pytest.mark.usefixtures("as_in_a_node")
LEVELS = [0.2, 0.1, 0.0]
FOR_GRADIENTS = "vae.resident_vae", "run.differentiable", "run.differentiable_blocks"


@pytest.fixture
def given(photos):
    """Of a photo of 64 pixels under strong noise: stage 1 meets it without a gradient."""
    photo = torch.from_numpy(np.asarray(Image.open(photos[0]).resize((64, 64)), dtype=np.float32) / 255)
    y = SuperResolution(4).build(3, 64, 64)(photo.movedim(-1, 0)[None]).movedim(1, -1)
    y = y + 0.2 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    model, vae = load_latent_example()
    return Restoration(model, SuperResolution(4), y, 0.2, 0, vae)


class Requests:
    """In load_models_gpu's place: what it is asked for, in order. Runs out of memory at those numbers."""

    def __init__(self, load, failing=()):
        self.load, self.failing = load, failing
        self.models, self.memory = [], []

    def __call__(self, models, memory_required=0, **more):
        self.models.append([patcher.model for patcher in models])
        self.memory.append(memory_required)
        if len(self.memory) - 1 in self.failing:
            raise torch.OutOfMemoryError("no memory left")
        return self.load(models, memory_required=memory_required, **more)


@pytest.fixture
def requests(monkeypatch):
    made = Requests(comfy.model_management.load_models_gpu)
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", made)
    return made


def of_a_graph(restoration, requests):
    """The numbers of those that ask for a graph through the decoder."""
    graph = restoration.host_vae.memory(1, gradients=True)
    return [i for i, memory in enumerate(requests.memory) if memory >= graph]


def test_no_gradient_asks_for_nothing(given, requests, monkeypatch):
    for place in ("torch.autograd.grad", *(f"maprps.host.{name}" for name in FOR_GRADIENTS)):
        monkeypatch.setattr(place, lambda *_, **__: pytest.fail("what a gradient needs was made"))
    network = given.vae.first_stage_model
    before = list(network.parameters())
    restored, _ = estimate_map(given, Encoded())
    assert restored.image.isfinite().all()
    assert of_a_graph(given, requests) == []
    assert network not in _own
    assert all(now is then for now, then in zip(network.parameters(), before, strict=True))


def test_the_first_gradient_asks_once_in_a_run(given, requests):
    start = torch.zeros(1, *given.latent_shape)
    for runs in (1, 2):
        sample_posterior(given, start, LEVELS, Proximal(), dpm_solver)
        assert len(of_a_graph(given, requests)) == runs


def test_the_first_gradient_asks_once_in_a_run_of_a_hosts_sampler(given, requests):
    start = torch.zeros(1, *given.latent_shape)
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
    guider = PosteriorGuider(given, Proximal())
    for runs in (1, 2):
        sampler = comfy.samplers.ksampler("euler")
        guider.sample(noise, start, sampler, torch.tensor(LEVELS), disable_pbar=True, seed=0)
        assert len(of_a_graph(given, requests)) == runs


def test_what_is_in_use_stays_loaded(requests):
    """The host evicts what it is not asked for."""
    model, more, (*_, control) = with_attachments()
    prompts = {name: more[name] for name in ("positive", "negative", "cfg")}
    restoration = Restoration(model, SuperResolution(4), torch.rand(1, 16, 16, 3), 0.05, 0, more["vae"], **prompts)
    sample_posterior(restoration, torch.zeros(1, *restoration.latent_shape), LEVELS, Proximal(), dpm_solver)
    *_, by_the_host, for_the_gradient = requests.models
    assert {id(network) for network in by_the_host} <= {id(network) for network in for_the_gradient}
    for network in (model.model, more["vae"].first_stage_model, control.model):
        assert any(network is one for one in for_the_gradient)


def test_memory_that_runs_out_when_a_gradient_asks_changes_no_result(given, monkeypatch):
    start = torch.zeros(1, *given.latent_shape)
    load = comfy.model_management.load_models_gpu
    results, counts = [], []
    for failing in ([], [2]):
        requests = Requests(load, failing)
        monkeypatch.setattr(comfy.model_management, "load_models_gpu", requests)
        results.append(sample_posterior(given, start, LEVELS, Proximal(), dpm_solver).image)
        counts.append(len(requests.memory))
    assert counts == [3, 6]
    torch.testing.assert_close(*results, atol=1e-4, rtol=0)
