"""What gradients through the host's models need: kernels with a backward pass, and no inference tensors."""

import comfy.conds
import comfy.model_management
import pytest
import torch

from maprps.host.gradients import differentiable, ordinary_conditioning


@pytest.fixture(autouse=True)
def as_in_a_node():
    with torch.inference_mode():
        yield


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
