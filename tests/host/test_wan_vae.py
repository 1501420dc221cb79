"""The video VAE of Wan 2.1, which image models share: the host's own class, on one frame."""

import pytest
import torch
from labs.host_gradients import decoder_gradient_error
from labs.host_zoo import tiny_model, tiny_prompt, wan_vae

from maprps.host.tiles import WHOLE, Cut
from maprps.host.vae import HostVAE
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.mark.parametrize("memory", ["ample", "short"])
@pytest.mark.parametrize("tiled", [False, True], ids=["whole", "tiles"])
def test_gradients_are_those_of_finite_differences(monkeypatch, tiled, memory):
    model = tiny_model("Wan 2.1")
    vae = HostVAE(wan_vae(), model, (61, 64))
    monkeypatch.setattr(vae, "plan", lambda *_: None)
    vae.cut = vae.gradient_cut = Cut(6, 2) if tiled else WHOLE
    if memory == "short":
        monkeypatch.setattr("maprps.host.vae.DECODER_GRAPH", float("inf"))
    assert decoder_gradient_error(vae, model, step=0.005, positive=tiny_prompt("Wan 2.1")) < 5e-4


@pytest.mark.parametrize("name", ["Qwen-Image", "Wan 2.1", "Cosmos Predict2", "Krea 2"])
def test_both_nodes(name):
    model, prompts = tiny_model(name), {"positive": tiny_prompt(name)}
    y = torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    given = (model, wan_vae(), SuperResolution(4), y)
    latent, image, _ = LatentMAPEstimation.execute(*given, **prompts, steps=2).args
    assert latent["samples"].shape == (1, 16, 1, 4, 4)
    sample = LatentRenoisedPosteriorSampling.execute(*given, latent, **prompts, steps=2).args[1]
    for picture in (image, sample):
        assert picture.shape == (1, 32, 32, 3)
        assert picture.isfinite().all()
