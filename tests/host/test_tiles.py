"""Networks in pieces: the whole's result where they are local, the host's conditioning cut with them, memory asked for
by the piece, and what happens where it does not suffice."""

import sys
from dataclasses import replace

import comfy.controlnet
import comfy.model_management
import comfy.samplers
import pytest
import torch
from labs.host_models import analytic_model
from labs.host_vaes import linear_vae
from torch import nn
from torch.nn.functional import avg_pool2d

from maprps.host import memory, run
from maprps.host.custom_sampling import PosteriorGuider
from maprps.host.images import to_model_units
from maprps.host.latent_example import load_latent_example
from maprps.host.pixel_model import as_host_model
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.host.run import Conditioning, Workload, run_solver
from maprps.host.statistics import Statistics, sample
from maprps.host.tiled_model import TiledPrediction
from maprps.host.tiles import WHOLE, Cut, Piece, piecewise
from maprps.host.vae import HostVAE
from maprps.models import load_embedded
from maprps.operators.denoising import Denoising
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import DPS, LatentDPS, Proximal
from maprps.solvers.map_estimation import Annealed
from maprps.solvers.posterior_sampling import dpm_solver

pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.fixture(scope="module")
def embedded():
    return as_host_model(load_embedded())


CUTS = [Cut(24, 8), Cut(24, 8, 2), Cut(24, 9, 0, 8), Cut(16, 8, 4, 4)]


@pytest.mark.parametrize("length", [1, 16, 17, 24, 25, 33, 100, 131])
@pytest.mark.parametrize("cut", CUTS)
def test_tiles_cover_an_axis(cut, length):
    """In order, on the network's grid, no larger than asked, with weights that sum to one and vanish in the margin."""
    tiles = cut.tiles(length, scale=2)
    total = torch.zeros(2 * length)
    for span, weight in tiles:
        assert span.start % cut.multiple == 0 and 0 < span.stop - span.start <= cut.size
        assert span.stop % cut.multiple == 0 or span.stop == length
        assert span.start == 0 or (weight[: 2 * cut.margin] == 0).all()
        assert span.stop == length or (weight[len(weight) - 2 * cut.margin :] == 0).all()
        total[2 * span.start : 2 * span.stop] += weight
    torch.testing.assert_close(total, torch.ones(2 * length))
    for (before, _), (after, _) in zip(tiles, tiles[1:], strict=False):
        assert before.start < after.start and before.stop - after.start >= cut.overlap


@pytest.mark.parametrize("singly", [False, True])
def test_pieces_of_a_local_network(singly):
    """A 3x3 convolution sees one pixel; values and gradients are the whole's."""
    with torch.inference_mode(False):
        conv = nn.Conv2d(2, 3, 3, padding=1, dtype=torch.float64).requires_grad_(False)
        x = torch.randn(3, 2, 37, 50, dtype=torch.float64, requires_grad=True)
        c = torch.randn(3, 3, 37, 50, dtype=torch.float64)
        made = [piecewise(lambda part, _: conv(part), x, cut) for cut in (WHOLE, Cut(16, 6, 1, 4, singly))]
        gradients = [torch.autograd.grad((c * value).sum(), x)[0] for value in made]
        torch.testing.assert_close(*made)
        torch.testing.assert_close(*gradients)


@pytest.fixture
def small_tiles(embedded, monkeypatch):
    """small_tiles(size): the embedded prior's tiles, smaller than is worth while."""
    cut = run.network_cuts(embedded, (9999, 9999), 1, 0)[-1]

    def set_to(size):
        monkeypatch.setattr(run, "network_cuts", lambda *_: [replace(cut, size=size)])

    return set_to


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 20.0])
def test_tiles_of_the_embedded_prior_are_the_whole(embedded, small_tiles, sigma):
    """It sees 216 pixels far, and what lies beyond half of that it hardly sees; sides with a remainder."""
    x = sigma * torch.randn(1, 3, 317, 301, generator=torch.Generator().manual_seed(0))
    whole = denoised(Workload(embedded, tuple(x.shape)), x, sigma)
    small_tiles(288)
    tiled = denoised(Workload(embedded, tuple(x.shape)), x, sigma)
    assert (tiled - whole).abs().max() <= 1e-5


@pytest.mark.slow
def test_gradients_through_tiles_of_the_embedded_prior(embedded, small_tiles):
    shape = (1, 3, 250, 301)

    def solve(denoise, callback):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
        with torch.enable_grad():
            value = (denoise(x, torch.ones(1)) * x.detach()).sum()
        return torch.autograd.grad(value, x)[0]

    whole = run_solver(Workload(embedded, shape, gradients=True), solve, 0)
    small_tiles(288)
    tiled = run_solver(Workload(embedded, shape, gradients=True), solve, 0)
    assert (tiled - whole).norm() <= 1e-5 * whole.norm()


def denoised(workload, x, sigma, **conditioning):
    sigmas = torch.full((len(x),), sigma)
    return run_solver(workload, lambda denoise, callback: denoise(x, sigmas), 0, Conditioning(**conditioning))


class LocalNetwork(nn.Module):
    """Each pixel from itself, the prompt's mean, what is concatenated and the ControlNet's output."""

    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)
        self.sizes = []

    def forward(self, x, timesteps, context, control=None, **_):
        self.sizes.append(tuple(x.shape[-2:]))
        made = 0.3 * x[:, :4] + 0.5 * x[:, 4:].mean(1, keepdim=True) + context.mean((1, 2)).view(-1, 1, 1, 1)
        return self.weight * (made if control is None else made + control["output"][0])


class LocalControl(nn.Module):
    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, x, hint, **_):
        return {"output": [self.weight * (avg_pool2d(hint, 8).mean(1, keepdim=True) + 0.1 * x)]}


def control(hint, previous=None):
    network = comfy.controlnet.ControlNet(LocalControl(), load_device=torch.device("cpu"))
    return network.set_cond_hint(hint, 0.7).set_previous_controlnet(previous)


@pytest.fixture
def local():
    """A model of the host's base class that sees a masked picture beside its latents, as inpainting models do."""
    model = analytic_model(lambda x, sigma: x, "eps", channels=4)
    model.model.diffusion_model = LocalNetwork()
    model.model.concat_keys = ("mask", "masked_image")
    return model


@pytest.mark.parametrize("batch", [1, 2])
def test_conditioning_is_cut_like_the_latents(local, batch):
    """Prompts by area, by mask and everywhere, two ControlNets in a row, a masked picture, a negative prompt with cfg:
    each latent gets what it gets in the whole."""
    draw = torch.Generator().manual_seed(0)
    height, width = 200, 170
    x = torch.randn(batch, 4, height, width, generator=draw)
    picture = {
        "concat_latent_image": torch.randn(1, 4, height, width, generator=draw),
        "concat_mask": torch.rand(1, 1, 8 * height, 8 * width, generator=draw),
    }
    hints = [torch.rand(1, 3, 8 * height, 8 * width, generator=draw) for _ in range(2)]
    mask = torch.rand(batch, height, width, generator=draw)
    tokens = torch.randn(5, 1, 3, 16, generator=draw)
    positive = [
        [tokens[0], picture],
        [tokens[1], {**picture, "area": (90, 60, 50, 70), "strength": 0.8}],
        [tokens[2], {**picture, "mask": mask, "mask_strength": 0.6}],
        [tokens[3], {**picture, "control": control(hints[0], control(hints[1]))}],
    ]
    negative = [[tokens[4], picture]]
    conditioning = {"positive": positive, "negative": negative, "cfg": 2.0}
    whole = denoised(Workload(local, tuple(x.shape)), x, 0.7, **conditioning)
    network = local.model.diffusion_model
    network.sizes.clear()
    tiled = denoised(Workload(local, tuple(x.shape), tile=128), x, 0.7, **conditioning)
    assert {size for size, _ in network.sizes} == {128, 72} and {size for _, size in network.sizes} == {128, 106}
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)
    for given in (hints[0], tokens[1], mask):
        given.zero_()
        again = denoised(Workload(local, tuple(x.shape), tile=128), x, 0.7, **conditioning)
        assert (again - tiled).abs().max() > 1e-3
        tiled = again


def test_gligen_is_not_cut(local):
    entry = {"gligen": ("position", local, []), "model_conds": {}}
    with pytest.raises(ValueError, match="GLIGEN does not work in tiles"):
        TiledPrediction(Cut(128, 16))(
            None, local.model, [[entry], None], torch.zeros(1, 4, 200, 170), torch.ones(1), {}
        )


def test_statistics_of_the_whole_make_tiles_the_whole():
    """A convolution, its normalization and another convolution, of statistics that no tile has."""
    with torch.inference_mode(False):
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1)
        )
        network.double().requires_grad_(False)
        x = torch.randn(1, 3, 40, 52, dtype=torch.float64) * torch.linspace(0.1, 3, 52)
        statistics = Statistics(network)
        statistics.read(network, sample(x, 52))

        def normalized(part: torch.Tensor, _: Piece) -> torch.Tensor:
            with statistics.applied():
                return network(part)

        torch.testing.assert_close(piecewise(normalized, x, Cut(20, 8, 2)), network(x))
        own = piecewise(lambda part, _: network(part), x, Cut(20, 8, 2))
        assert (own - network(x)).abs().max() > 0.1


def test_a_sample_is_taken_from_all_over():
    x = torch.arange(100.0).expand(1, 1, 64, 100)
    made = sample(x, 32)
    assert made.shape == (1, 1, 32, 32)
    assert made.unique().tolist() == [n for start in (0, 31, 61, 92) for n in range(start, start + 8)]
    assert sample(x, 100) is x


def test_tiles_of_the_embedded_vae_are_the_whole(photo):
    """Both ways, to a twentieth of the step of an 8-bit picture."""
    model, vae = load_latent_example()
    picture = to_model_units(photo("coffee"))[..., :200, :]
    host_vae = HostVAE(vae, model, tuple(picture.shape[-2:]))
    latents = host_vae.encode(picture)
    decoded = host_vae.decode(latents)
    host_vae.plan(1, sys.maxsize, tile=256)
    assert (host_vae.encode(picture) - latents).abs().max() <= 2e-4 * (latents.max() - latents.min())
    assert (host_vae.decode(latents) - decoded).abs().max() <= 2e-4 * 2
    assert host_vae.tiled


@pytest.mark.slow
def test_tiles_leave_no_seam(photo):
    """The mean gradient across the tiles' borders over that elsewhere, against the same of a restoration in one piece:
    the latent example, tiles as small as they get."""
    model, vae = load_latent_example()
    degradation = SuperResolution(2, "box")
    measurement = avg_pool2d(photo("astronaut")[:, :136, :192].movedim(-1, 1), 2).movedim(1, -1)
    ratios = []
    for tile in (0, 128):
        restoration = Restoration(model, degradation, measurement, 0.02, 0, vae, tile=tile)
        image = estimate_map(restoration, Annealed(steps=3))[0].image
        (cut, *_) = run.network_cuts(model, restoration.latent_shape[1:], 8, 128)
        steps = (image[:, :, 1:] - image[:, :, :-1]).abs().mean(dim=(0, 1, 3))
        borders = torch.zeros(len(steps), dtype=torch.bool)
        for span, _ in cut.tiles(restoration.latent_shape[2]):
            borders[[8 * at - 1 for at in (span.start, span.stop) if 0 < 8 * at < image.shape[2]]] = True
        assert borders.sum() == 2
        ratios.append(steps[borders].mean() / steps[~borders].mean())
    assert abs(ratios[1] / ratios[0] - 1) <= 0.02


@pytest.fixture
def small_memory(monkeypatch):
    """small_memory(of, pieces): as if there were just the memory for calls of that shape."""

    def set_to(model, shape):
        monkeypatch.setattr(run, "obtainable_memory", lambda device: model.memory_required(list(shape)))

    return set_to


def test_images_go_one_by_one_and_in_tiles_where_memory_asks_for_it(local, small_memory, monkeypatch):
    """The same result; and the host is asked for what a piece takes."""
    asked = []
    load = comfy.model_management.load_models_gpu

    def recorded(models, memory_required=0, **more):
        asked.append(memory_required)
        return load(models, memory_required=memory_required, **more)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", recorded)
    monkeypatch.setattr(local.model.model_config, "trained_size", 128, raising=False)
    local.model.concat_keys = ()
    local.model.diffusion_model = Shapes()
    x = torch.randn(3, 4, 200, 170)
    results = []
    for shape in ((3, 4, 200, 170), (1, 4, 200, 170), (1, 4, 128, 128)):
        small_memory(local, shape)
        asked.clear()
        local.model.diffusion_model.shapes.clear()
        results.append(denoised(Workload(local, tuple(x.shape)), x, 0.7))
        seen = max(local.model.diffusion_model.shapes)
        assert seen == shape
        assert max(asked) <= 2 * local.memory_required(list(shape))  # the host always asks for two prompts
    assert torch.equal(results[0], results[1])
    torch.testing.assert_close(results[2], results[0], atol=1e-6, rtol=0)


class Shapes(nn.Module):
    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, x, timesteps, **_):
        self.shapes.append(tuple(x.shape))
        return 0.3 * x


ERRORS = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory."),
    "CPU": RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
}


class Failing:
    """In place of a method: runs out of memory at the calls of those numbers, from 0."""

    def __init__(self, method, calls, error=ERRORS["GPU"]):
        self.method, self.left, self.error, self.count = method, set(calls), error, 0

    def __call__(self, *args, **kwargs):
        self.count += 1
        if self.count - 1 in self.left:
            raise self.error
        return self.method(*args, **kwargs)


def latent_setting():
    """A latent model, its VAE, a measurement."""
    vae = linear_vae()
    model = analytic_model(lambda x, sigma: 0.9 * x, "eps")
    measurement = torch.rand(1, 48, 40, 3, generator=torch.Generator().manual_seed(0))
    return model, vae, Restoration(model, Denoising(), measurement, 0.05, 3, vae)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(
    ("place", "call"), [("model", 0), ("model", 2), ("decode", 0), ("decode", 1), ("decode", 3), ("encode", 0)]
)
def test_memory_that_runs_out_once_changes_no_result(monkeypatch, place, call, error):
    """At the first, the second or a later call of the model, the decoder or the encoder; in both stages."""
    model, vae, restoration = latent_setting()
    (expected, image), _ = estimate_map(restoration, Annealed(steps=3))
    sampled = sample_posterior(restoration, expected, [0.5, 0.2, 0.0], Proximal(), dpm_solver).image
    owner = model.model.diffusion_model if place == "model" else vae.first_stage_model
    name = "forward" if place == "model" else place
    for stage in (1, 2):
        failing = Failing(getattr(owner, name), [call], ERRORS[error])
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing)
            if stage == 1:
                found = estimate_map(restoration, Annealed(steps=3))[0].image
            else:
                found = sample_posterior(restoration, expected, [0.5, 0.2, 0.0], Proximal(), dpm_solver).image
        assert failing.count > call or stage == 2
        torch.testing.assert_close(found, image if stage == 1 else sampled, atol=1e-5, rtol=0)


def test_memory_that_runs_out_in_a_backward_pass(monkeypatch):
    model = analytic_model(lambda x, sigma: 0.9 * x, "eps")
    restoration = Restoration(model, SuperResolution(2), torch.rand(1, 12, 10, 3), 0.05, 3)
    start, levels = torch.rand(1, 24, 20, 3), [0.5, 0.2, 0.0]
    expected = sample_posterior(restoration, start, levels, DPS(), dpm_solver).image
    failing = Failing(torch.autograd.grad, [1])
    monkeypatch.setattr(torch.autograd, "grad", failing)
    found = sample_posterior(restoration, start, levels, DPS(), dpm_solver).image
    assert failing.count > 2
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_sparing_gradients_through_model_and_decoder():
    """Blocks of both are then run again in the backward pass, each once."""
    model, vae = load_latent_example()
    measurement = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    restoration = Restoration(model, SuperResolution(4), measurement, 0.05, 0, vae)
    network, expected = model.model.diffusion_model, []
    for calls in ([], [0]):
        failing = Failing(network.forward, calls)
        network.forward = failing
        estimate = torch.zeros(1, *restoration.latent_shape)
        expected.append(sample_posterior(restoration, estimate, [1.0, 0.0], LatentDPS(0.01), dpm_solver).image)
        del network.forward
    torch.testing.assert_close(*expected, atol=1e-4, rtol=0)


def test_memory_that_runs_out_while_loading(monkeypatch):
    _, _, restoration = latent_setting()
    expected = estimate_map(restoration, Annealed(steps=2))[0].image
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", Failing(comfy.model_management.load_models_gpu, [0]))
    torch.testing.assert_close(estimate_map(restoration, Annealed(steps=2))[0].image, expected, atol=1e-5, rtol=0)


def test_memory_that_runs_out_in_a_hosts_sampler(monkeypatch):
    model, _, restoration = latent_setting()
    sigmas, start = torch.tensor([1.0, 0.5, 0.0]), torch.zeros(1, 3, *restoration.latent_shape[1:])

    def run_guider():
        guider = PosteriorGuider(restoration, Proximal())
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
        return guider.sample(noise, start, comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True, seed=0)

    expected = run_guider()
    network = model.model.diffusion_model
    monkeypatch.setattr(network, "forward", Failing(network.forward, [1]))
    torch.testing.assert_close(run_guider(), expected, atol=1e-5, rtol=0)


def test_memory_that_runs_out_again_ends_in_one_sentence(monkeypatch):
    model, _, restoration = latent_setting()
    network = model.model.diffusion_model
    failing = Failing(network.forward, range(100))
    monkeypatch.setattr(network, "forward", failing)
    with pytest.raises(MemoryError, match="lower 'tile' or 'samples'") as caught:
        estimate_map(restoration, Annealed(steps=3))
    assert failing.count == 2
    assert str(caught.value).count(". ") == 0
    assert "'proximal'" not in str(caught.value)  # which it would be by now


def test_memory_that_runs_out_again_names_what_takes_less(monkeypatch):
    model = analytic_model(lambda x, sigma: 0.9 * x, "eps")
    restoration = Restoration(model, SuperResolution(2), torch.rand(1, 12, 10, 3), 0.05, 3)
    monkeypatch.setattr(torch.autograd, "grad", Failing(torch.autograd.grad, range(100)))
    with pytest.raises(MemoryError, match="'proximal'"):
        sample_posterior(restoration, torch.rand(1, 24, 20, 3), [0.5, 0.2, 0.0], DPS(), dpm_solver)


def test_other_errors_are_no_reason_to_begin_again():
    calls = []

    def attempt(frugal):
        calls.append(frugal)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        memory.sparing(attempt)
    assert calls == [False]
