"""Weights of fewer bits: fp8 has gradients, plain or scaled; int8, and what a loader outside the host packs, has none,
and runs."""

import json

import comfy.model_patcher
import comfy.ops
import comfy.sd
import pytest
import torch
from labs.host_gradients import gradient_error
from labs.host_zoo import latent_shape, tiny_model, tiny_prompt, tiny_vae

from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.hdr import HDR
from maprps.operators.resampling import SuperResolution

NAME = "SD3"  # which both hosts detect from tiny weights


pytestmark = pytest.mark.usefixtures("as_in_a_node")


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


class Packed(torch.Tensor):
    """Two numbers of four bits in a byte, as loaders of GGUF files have them: a tensor that says the shape of what it
    stands for, and stays itself where others are copied."""

    @staticmethod
    def of(weight):
        scale = weight.abs().max() / 7
        low, high = ((weight / scale).round() + 8).to(torch.uint8).flatten().unflatten(0, (-1, 2)).unbind(1)
        return (low + 16 * high).as_subclass(Packed)._with(scale, weight.shape)

    def _with(self, scale, unpacked):
        self.scale, self.unpacked = scale, unpacked
        return self

    @property
    def shape(self):
        return getattr(self, "unpacked", self.size())

    def unpack(self):
        packed = self.as_subclass(torch.Tensor)
        numbers = torch.stack([packed % 16, packed // 16], dim=1).view(self.unpacked)
        return (numbers.float() - 8) * self.scale

    def to(self, *args, **kwargs):
        return super().to(*args, **kwargs)._with(self.scale, self.unpacked)

    def clone(self, *args, **kwargs):
        return self

    def detach(self):
        return self


class PackedOps(comfy.ops.manual_cast):
    class Linear(comfy.ops.manual_cast.Linear):
        def _load_from_state_dict(self, weights, prefix, *args):
            for name in ("weight", "bias"):
                if prefix + name in weights:
                    setattr(self, name, torch.nn.Parameter(weights[prefix + name], requires_grad=False))

        def forward(self, x):
            weight = self.weight.unpack() if isinstance(self.weight, Packed) else self.weight
            return torch.nn.functional.linear(x, weight.to(x), None if self.bias is None else self.bias.to(x))


class PackedPatcher(comfy.model_patcher.ModelPatcher):
    """Of a class that the host does not know."""

    def patch_weight_to_device(self, key, *args, **kwargs):
        if not isinstance(comfy.utils.get_attr(self.model, key), Packed):
            super().patch_weight_to_device(key, *args, **kwargs)


def packed(weights):
    return of_packed({key: Packed.of(weight) if is_matrix(key, weight) else weight for key, weight in weights.items()})


def of_packed(weights):
    model = comfy.sd.load_diffusion_model_state_dict(weights, model_options={"custom_operations": PackedOps})
    return PackedPatcher(model.model, model.load_device, model.offload_device)


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


@pytest.mark.parametrize("load", [int8, packed])
def test_integers_run_and_are_refused_where_they_would_be_differentiated(load):
    model = loaded(load)
    vae, positive = tiny_vae(NAME, model), tiny_prompt(NAME)
    given = (model, vae, SuperResolution(4), torch.rand(1, 16, 16, 3))
    latent, image, _ = LatentMAPEstimation.execute(*given, positive=positive, steps=2).args
    _, sampled, _ = LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, steps=2).args
    assert image.isfinite().all() and sampled.isfinite().all()
    with pytest.raises(ValueError, match="quantized.*int8.*'proximal'"):
        LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, guidance="latent DPS", steps=2)


def test_packed_weights_restore_as_what_they_stand_for():
    model = loaded(packed)
    assert any(isinstance(weight, Packed) for weight in model.model.diffusion_model.parameters())
    unpacked = {
        key: Packed.of(weight).unpack() if is_matrix(key, weight) else weight
        for key, weight in tiny_model(NAME).model.diffusion_model.state_dict().items()
    }
    same = comfy.sd.load_diffusion_model_state_dict(unpacked)
    vae, positive = tiny_vae(NAME, model), tiny_prompt(NAME)
    given = (vae, SuperResolution(4), torch.rand(1, 16, 16, 3))
    images = [LatentMAPEstimation.execute(one, *given, positive=positive, steps=2).args[1] for one in (model, same)]
    assert (images[0] - images[1]).abs().max() <= 1e-5


class Kept(torch.Tensor):
    """Numbers that such a loader has not packed, in its own tensors all the same."""

    def clone(self, *args, **kwargs):
        return self

    def detach(self):
        return self


def test_weights_that_stay_as_they_are_are_refused_where_they_would_be_differentiated():
    def kept(weights):
        return of_packed({k: w.as_subclass(Kept) if is_matrix(k, w) else w for k, w in weights.items()})

    model = loaded(kept)
    vae, positive = tiny_vae(NAME, model), tiny_prompt(NAME)
    given = (model, vae, SuperResolution(4), torch.rand(1, 16, 16, 3))
    latent, *_ = LatentMAPEstimation.execute(*given, positive=positive, steps=2).args
    with pytest.raises(ValueError, match="no gradients.*'proximal'"):
        LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, guidance="MMPS", steps=2)


def test_a_quantized_vae_is_refused_at_its_first_gradient():
    """Where 'proximal' would not help: it takes that gradient."""
    model = loaded(plain_fp8)
    vae, positive = tiny_vae(NAME, model), tiny_prompt(NAME)
    vae.first_stage_model.std = torch.nn.Parameter(torch.ones(16, 1, 1, dtype=torch.int8), requires_grad=False)
    given = (model, vae, HDR(2.0), torch.rand(1, 64, 64, 3))
    latent = {"samples": torch.zeros(latent_shape(NAME, model))}
    with pytest.raises(ValueError, match="This VAE's weights .* load the VAE with fp8 or fp16 weights") as refusal:
        LatentRenoisedPosteriorSampling.execute(*given, latent, positive=positive, steps=2)
    assert "'proximal'" not in str(refusal.value)
