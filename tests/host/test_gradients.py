"""What gradients through the host's models need of newer hosts, whose weights may be evicted (DynamicVRAM) and whose
kernels may lack a backward pass. Their model patcher is stood in for by one that answers as theirs does."""

import comfy.conds
import comfy.model_management
import comfy.model_patcher
import pytest
import torch
from labs.gaussian import PowerLawPrior
from labs.host_models import analytic_model

from maprps.host.gradients import differentiable, ordinary_conditioning
from maprps.host.run import Workload, run_solver

SHAPE = (1, 3, 8, 8)


class DynamicPatcher(comfy.model_patcher.ModelPatcher):
    """loader: what reads the model's file again, if the host knows it."""

    loader = None

    def is_dynamic(self):
        return True

    def clone(self, disable_dynamic=False):
        if not disable_dynamic:
            return super().clone()
        if self.loader is None:
            raise RuntimeError("Cannot create non-dynamic delegate")
        return self.loader()


@pytest.fixture(autouse=True)
def as_in_a_node():
    with torch.inference_mode():
        yield


@pytest.fixture
def model():
    return analytic_model(PowerLawPrior(size=8))


def dynamic(model):
    return DynamicPatcher(model.model, model.load_device, model.offload_device)


def gradient(model):
    """Of the sum of x0; and the network that computed it."""

    def solve(denoise, callback):
        with torch.enable_grad():
            x = torch.ones(SHAPE, requires_grad=True)
            (result,) = torch.autograd.grad(denoise(x, torch.ones(1)).sum(), x)
        return result, denoise.guider.inner_model.diffusion_model

    return run_solver(Workload(model, SHAPE, gradients=True), solve, seed=0)


def test_weights_that_may_be_evicted_are_loaded_otherwise(model):
    expected, _ = gradient(model)
    evictable = dynamic(model)
    resident = analytic_model(PowerLawPrior(size=8))
    evictable.loader = lambda: resident
    result, network = gradient(evictable)
    assert torch.equal(result, expected)
    assert network is resident.model.diffusion_model


def test_weights_that_may_be_evicted_and_cannot_be_loaded_otherwise_are_refused(model):
    with pytest.raises(ValueError, match="--disable-dynamic-vram"):
        gradient(dynamic(model))


def test_attached_weights_that_may_be_evicted_are_refused(model):
    model.set_additional_models("test", [dynamic(analytic_model(PowerLawPrior(size=8)))])
    with pytest.raises(ValueError, match="evict BaseModel.*--disable-dynamic-vram"):
        gradient(model)


@pytest.mark.parametrize("before", [False, True])
def test_host_is_told_that_kernels_need_a_backward_pass(monkeypatch, before):
    management = comfy.model_management
    monkeypatch.setattr(management, "in_training", before, raising=False)
    with pytest.raises(KeyError), differentiable(torch.nn.Linear(1, 1)):
        assert management.in_training
        raise KeyError
    assert management.in_training is before


def test_every_tensor_of_the_conditioning_is_ordinary():
    """Lists of tensors too, which edit models are conditioned on."""
    one, many = comfy.conds.CONDRegular(torch.ones(2)), comfy.conds.CONDList([torch.ones(2), torch.zeros(2)])
    conds = {"positive": [{"mask": torch.ones(3), "model_conds": {"one": one, "many": many}}]}
    with torch.inference_mode(False):
        (entry,) = ordinary_conditioning(conds)["positive"]
    made = entry["model_conds"]
    for tensor in (entry["mask"], made["one"].cond, *made["many"].cond):
        assert not tensor.is_inference()
    assert one.cond.is_inference() and torch.equal(made["many"].cond[1], torch.zeros(2))
