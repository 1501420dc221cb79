"""Weights of fewer bits, as the host loads them: fp8 has gradients, plain or scaled; int8 has none, and runs."""

import json

import comfy.sd
import pytest
import torch
from labs.host_gradients import gradient_error
from labs.host_zoo import latent_shape, tiny_model, tiny_prompt, tiny_vae

from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

NAME = "SD3"  # which both hosts detect from tiny weights


@pytest.fixture(autouse=True)
def as_in_a_node():
    with torch.inference_mode():
        yield


def plain_fp8(weights):
    return comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": torch.float8_e4m3fn})


def scaled_fp8(weights):
    scaled = {"scaled_fp8": torch.empty(2, dtype=torch.float8_e4m3fn)}
    for key, weight in weights.items():
        if is_matrix(key, weight):
            scale = weight.abs().max() / 448
            weight = (weight / scale).to(torch.float8_e4m3fn)
            scaled[key.removesuffix("weight") + "scale_weight"] = scale
        scaled[key] = weight
    return comfy.sd.load_diffusion_model_state_dict(scaled)


def int8(weights):
    if not hasattr(comfy.utils, "detect_layer_quantization"):
        pytest.skip("this host loads no int8")
    scaled = {}
    conf = torch.tensor(list(json.dumps({"format": "int8_tensorwise"}).encode()), dtype=torch.uint8)
    for key, weight in weights.items():
        if is_matrix(key, weight):
            scale = weight.abs().max() / 127
            weight = (weight / scale).round().to(torch.int8)
            name = key.removesuffix("weight")
            scaled[name + "weight_scale"], scaled[name + "comfy_quant"] = scale, conf
        scaled[key] = weight
    return comfy.sd.load_diffusion_model_state_dict(scaled)


def is_matrix(key, weight):
    return key.endswith("weight") and weight.ndim == 2 and "blocks" in key


def loaded(load):
    weights = tiny_model(NAME).model.diffusion_model.state_dict()
    return load({key: weight.clone() for key, weight in weights.items()})


@pytest.mark.parametrize("load", [plain_fp8, scaled_fp8])
@pytest.mark.parametrize("memory", ["ample", "short"])
def test_fp8_has_gradients(load, memory, monkeypatch):
    if memory == "short":
        monkeypatch.setattr("maprps.host.run.MODEL_GRAPH", float("inf"))
    model = loaded(load)
    stored = {getattr(w, "_qdata", w).dtype for w in model.model.diffusion_model.parameters()}
    assert torch.float8_e4m3fn in stored
    error, network, same = gradient_error(model, latent_shape(NAME, model), positive=tiny_prompt(NAME))
    assert error < 2e-3
    assert network > 0.01
    assert same < 1e-5


def test_int8_runs_and_is_refused_where_it_would_be_differentiated():
    model = loaded(int8)
    vae, positive = tiny_vae(NAME, model), tiny_prompt(NAME)
    given = (model, vae, SuperResolution(4), torch.rand(1, 16, 16, 3))
    latent, image, _ = LatentMAPEstimation.execute(*given, positive=positive, steps=2).args
    _, sampled, _ = LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, steps=2).args
    assert image.isfinite().all() and sampled.isfinite().all()
    with pytest.raises(ValueError, match="quantized.*int8.*'proximal'"):
        LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, guidance="latent DPS", steps=2)
