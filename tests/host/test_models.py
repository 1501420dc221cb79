"""Today's image models, each as a tiny instance of the host's own class, through the nodes."""

import comfy.quant_ops
import pytest
import torch
from labs.host_gradients import gradient_error
from labs.host_zoo import ZOO, latent_shape, tiny_model, tiny_prompt, tiny_vae

from maprps.host.restoration import takes_text
from maprps.nodes.map_estimation import LatentMAPEstimation, MAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling, RenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

WITHOUT_BACKWARD = {
    "Cosmos Predict2": "rms_rope_split_half",
    "Anima": "rms_rope_split_half",
    "Ernie-Image": "apply_rope_split_half",
    "JoyImage": "rms_rope",
}
"""The kernel by which newer hosts compute a model, and through which there are no gradients."""


def kernel_without_backward(name):
    kernel = WITHOUT_BACKWARD.get(name, "")
    return kernel if hasattr(getattr(comfy.quant_ops, "ck", None), kernel) else None


pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.mark.parametrize("name", ZOO)
def test_both_nodes_with_their_defaults_and_by_gradients(name):
    model, size = tiny_model(name), ZOO[name].size
    vae, prompts = tiny_vae(name, model), {"positive": tiny_prompt(name)}
    y = torch.rand(1, size // 4, size // 4, 3, generator=torch.Generator().manual_seed(0))
    given = (model, SuperResolution(4), y) if vae is None else (model, vae, SuperResolution(4), y)
    if vae is None:
        image, _ = MAPEstimation.execute(*given, **prompts, steps=2).args
        estimate, stage_two = image, RenoisedPosteriorSampling
    else:
        estimate, image, _ = LatentMAPEstimation.execute(*given, **prompts, steps=2).args
        stage_two = LatentRenoisedPosteriorSampling
        frames = [1] * (model.model.latent_format.latent_dimensions == 3)
        assert list(estimate["samples"].shape[2:]) == [*frames, *latent_shape(name, model)[2:]]
    pictures = [image, stage_two.execute(*given, estimate, **prompts, steps=2).args[-2]]
    if not kernel_without_backward(name):
        for guidance in ("MMPS", "DPS"):
            more = {"guidance": guidance, "guidance_scale": 0.01} if guidance == "DPS" else {"guidance": guidance}
            pictures.append(stage_two.execute(*given, estimate, **prompts, **more, steps=2).args[-2])
    for picture in pictures:
        assert picture.shape == (1, size, size, 3)
        assert picture.isfinite().all()


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("memory", ["ample", "short"])
def test_gradients_are_those_of_finite_differences(name, memory, monkeypatch):
    model, positive = tiny_model(name), tiny_prompt(name)
    if memory == "short":
        monkeypatch.setattr("maprps.host.run.MODEL_GRAPH", float("inf"))
    if (kernel := kernel_without_backward(name)) is not None:
        with pytest.raises(ValueError, match=f"no gradients .*{kernel}.*'proximal'"):
            gradient_error(model, latent_shape(name, model), positive=positive)
        return
    error, network, same = gradient_error(model, latent_shape(name, model), positive=positive)
    assert error < 2e-3
    assert network > 0.01
    assert same < 1e-5


@pytest.mark.parametrize("name", ["Chroma Radiance, x0-prediction", "PixArt Sigma", "HiDream-O1"])
def test_sizes_that_the_host_fails_on_are_named(name):
    model = tiny_model(name)
    _, channels, height, width = latent_shape(name, model)
    with pytest.raises(ValueError, match=f"multiples of .* are {width} and {height + 1}: choose another image size"):
        gradient_error(model, (1, channels, height + 1, width), positive=tiny_prompt(name))


@pytest.mark.parametrize("name", ZOO)
def test_a_prompt_is_asked_for(name):
    model = tiny_model(name)
    assert takes_text(model)
