"""What gradients through the host's models need: kernels with a backward pass, and no inference tensors."""

import comfy.conds
import comfy.model_management
import pytest
import torch
from torch import nn

from maprps.host.checkpointing import differentiable_blocks
from maprps.host.gradients import differentiable, ordinary_conditioning

pytestmark = pytest.mark.usefixtures("as_in_a_node")


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


class Block(nn.Module):
    """y = tanh(x) + tanh(2 x), and a step more, some of it in place."""

    def __init__(self, writes):
        super().__init__()
        self.inner = nn.Linear(1, 1)  # what makes it a block
        self.writes, self.runs = writes, 0

    def forward(self, x, scale, kept):
        self.runs += 1
        y = torch.tanh(x)
        if self.writes == "over what is saved":
            y += torch.tanh(scale * x)
        elif self.writes == "to its input":
            y = y + torch.tanh(scale * x)
            x *= 0
        elif self.writes == "by out=":
            y = torch.add(y, torch.tanh(scale * x), out=torch.empty_like(y))
        else:
            y = y + torch.tanh(scale * x)
        kept.append(y.detach())
        return y, (y * 2, None)


@pytest.mark.parametrize("short_of_memory", [False, True])
@pytest.mark.parametrize("writes", ["", "over what is saved", "to its input", "by out="])
def test_blocks_may_write_in_place(writes, short_of_memory):
    """The gradient is that of blocks that do not, and what needs no second run has none."""
    with torch.inference_mode(False):
        x = torch.linspace(-1, 1, 5, requires_grad=True)
        kept = []

        def value(blocks):
            y = x
            for block in blocks:
                y, (doubled, _) = block(y, scale=torch.tensor(2.0), kept=kept)
                y += 0.1 * doubled  # as a ControlNet's residual is added
            return y.square().sum()

        (expected,) = torch.autograd.grad(value([Block(""), Block("")]), x)
        blocks = nn.ModuleList([Block(writes), Block(writes)])
        with differentiable_blocks(nn.ModuleList([blocks]), blocks, short_of_memory=short_of_memory):
            result = value(blocks)
            gradients = [torch.autograd.grad(result, x, retain_graph=True)[0] for _ in range(2)]
        for gradient in gradients:
            assert torch.allclose(gradient, expected, rtol=1e-5)
        if not writes:
            assert [block.runs for block in blocks] == ([3, 3] if short_of_memory else [1, 1])
        assert all("forward" not in block.__dict__ for block in blocks)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(1, 1)

    def forward(self, x):
        return torch.ones_like(x)


@pytest.mark.parametrize("short_of_memory", [False, True])
def test_a_block_may_forget_its_input(short_of_memory):
    with torch.inference_mode(False):
        x = torch.zeros(2, requires_grad=True)
        blocks = nn.ModuleList([Constant()])
        with differentiable_blocks(blocks, short_of_memory=short_of_memory):
            (gradient,) = torch.autograd.grad((x + blocks[0](x)).sum(), x)
        assert torch.equal(gradient, torch.ones(2))


def test_kernels_without_a_backward_pass_are_named():
    message = "Trying to backward through some_pack.kernel.default but no autograd formula was registered."
    with pytest.raises(ValueError, match="kernel.*some_pack.kernel.default.*'proximal'"), differentiable():
        raise RuntimeError(message)
