"""Models with attention know pictures of one size best: what they are given where a picture is too large for the
memory. UNets of the host's own classes, tiny, with prompts of the published widths."""

from dataclasses import replace

import pytest
import torch
from labs import host_zoo
from labs.host_zoo import ZOO, tiny_model, tiny_prompt, tiny_vae

from maprps.host import run
from maprps.host.run import Conditioning, Workload, run_solver
from maprps.host.vae import HostVAE
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

pytestmark = pytest.mark.usefixtures("as_in_a_node")

TRAINED = {"SD1.5": (768, 512), "SD2.1": (1024, 768), "SDXL": (2048, 1024)}
"""Width of a prompt, and pixels a side of the pictures that it was trained on."""


@pytest.fixture
def published(monkeypatch):
    """published(name): a tiny MODEL with prompts as wide as the published one's."""

    def model(name):
        kind, width = ZOO[name], TRAINED[name][0]
        network = {**kind.network, "context_dim": width}
        monkeypatch.setitem(host_zoo.ZOO, name, replace(kind, network=network, tokens=width))
        return tiny_model(name)

    return model


@pytest.fixture
def seen(monkeypatch):
    """seen(model): a list that grows by the height and width of what its network is given, in pixels."""

    def record(model):
        sizes, network = [], model.model.diffusion_model
        forward = network.forward

        def recorded(x, *more, **options):
            sizes.append((8 * x.shape[-2], 8 * x.shape[-1]))
            return forward(x, *more, **options)

        monkeypatch.setattr(network, "forward", recorded)
        return sizes

    return record


def just_enough(monkeypatch, model, height, width):
    """As if there were memory for one picture of this size, in pixels."""
    need = model.memory_required([1, 4, height // 8, width // 8])
    monkeypatch.setattr(run, "obtainable_memory", lambda device: need)


def workload(name, model, height, width, tile=0):
    """Of a picture of this size, in pixels."""
    vae = HostVAE(tiny_vae(name, model), model, (height, width))
    return Workload(model, (1, *vae.latent_shape), vae=vae, tile=tile)


@pytest.mark.parametrize("name", TRAINED)
def test_tiles_are_as_large_as_what_the_model_was_trained_on(published, monkeypatch, name):
    """Where the whole does not fit, also if more than a tile would. A picture of that size is never cut."""
    model, size = published(name), TRAINED[name][1]
    for room in (size, 2 * size):
        just_enough(monkeypatch, model, room, size)
        cut = workload(name, model, 3 * size, 2 * size).planned().cut
        assert (cut.size, cut.overlap) == (size // 8, size // 32)
    just_enough(monkeypatch, model, 8, 8)
    assert workload(name, model, size, size).planned().cut.size == 0


def test_attention_reaches_as_far_as_a_tile(published):
    """What lies in one tile alone is what the model makes of that tile."""
    model = published("SD1.5")
    x = torch.randn(1, 4, 40, 32, generator=torch.Generator().manual_seed(0))

    def denoised(x):
        given = workload("SD1.5", model, 8 * x.shape[2], 8 * x.shape[3], tile=256)
        prompt = Conditioning(tiny_prompt("SD1.5"))
        return run_solver(given, lambda denoise, callback: denoise(x, torch.ones(1)), 0, prompt)

    tiled, first, last = denoised(x), denoised(x[:, :, :32]), denoised(x[:, :, 8:])
    torch.testing.assert_close(tiled[:, :, :8], first[:, :, :8])
    torch.testing.assert_close(tiled[:, :, 32:], last[:, :, 24:])
    assert (first[:, :, 8:] - last[:, :, :24]).abs().max() > 0.01  # they do not see the same


@pytest.mark.parametrize(("tile", "size"), [(0, (576, 512)), (256, (320, 256))], ids=["automatic", "by hand"])
def test_both_nodes_in_tiles_of_a_unet_with_attention(published, seen, monkeypatch, tile, size):
    """The network is given tiles and nothing else."""
    model = published("SD1.5")
    given = model, tiny_vae("SD1.5", model), SuperResolution(8), torch.rand(1, size[0] // 8, size[1] // 8, 3)
    more = {"positive": tiny_prompt("SD1.5"), "steps": 1, "tile": tile}
    if not tile:
        just_enough(monkeypatch, model, 512, 512)
    sizes = seen(model)
    estimate, image, _ = LatentMAPEstimation.execute(*given, **more).args
    _, sampled, _ = LatentRenoisedPosteriorSampling.execute(*given, estimate, **more).args
    assert set(sizes) == {(tile or 512, tile or 512)}
    for picture in (image, sampled):
        assert picture.shape == (1, *size, 3)
        assert picture.isfinite().all()
