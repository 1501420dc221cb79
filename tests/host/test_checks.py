"""What a node does not offer is refused where it enters, for every input of every node."""

import re

import pytest
import torch
from comfy_api.latest import io
from labs.host_models import analytic_model

from maprps.launch.client import PromptError
from maprps.nodes import NODES
from maprps.nodes.apply_degradation import ApplyDegradation
from maprps.nodes.blend import Blend
from maprps.nodes.checks import check
from maprps.nodes.estimate_noise import EstimateNoise
from maprps.nodes.keep_measured import KeepMeasured
from maprps.nodes.posterior_sampling import RenoisedPosteriorSampling
from maprps.operators.denoising import Denoising

INPUTS = [(node, input) for node in NODES for input in node.define_schema().inputs]
CHOICES = [(node, input) for node, input in INPUTS if isinstance(input, io.Combo.Input)]
NUMBERS = [(node, input) for node, input in INPUTS if isinstance(input, (io.Float.Input, io.Int.Input))]
TENSORS = [(node, input) for node, input in INPUTS if isinstance(input, (io.Image.Input, io.Mask.Input))]
LATENTS = [(node, input) for node, input in INPUTS if isinstance(input, io.Latent.Input)]


def named(pairs):
    return {"argvalues": pairs, "ids": [f"{node.define_schema().node_id}-{input.id}" for node, input in pairs]}


@pytest.mark.parametrize("node, input", **named(CHOICES))
def test_a_choice_that_is_not_there(node, input):
    with pytest.raises(ValueError, match=f"^{input.id} is 'nonsense': choose one of .*{input.options[0][:3]}"):
        node.execute(**{input.id: "nonsense"})
    for option in input.options:
        check(input, option)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30])
@pytest.mark.parametrize("node, input", **named(NUMBERS))
def test_a_number_that_is_none_or_out_of_range(node, input, value):
    sentence = f"{input.id} is {value}: give a number from {input.min} to {input.max}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        node.execute(**{input.id: value})
    for number in (input.min, input.default, input.max):
        check(input, number)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("node, input", **named(TENSORS + LATENTS))
def test_a_picture_with_values_that_are_no_numbers(node, input, value):
    picture = torch.zeros(1, 4, 4, 3)
    picture[0, 1, 2, 0] = value
    with pytest.raises(ValueError, match=f"^{input.id} holds NaN or infinity"):
        node.execute(**{input.id: {"samples": picture} if isinstance(input, io.Latent.Input) else picture})


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_is_no_color(channels):
    image = 0.5 + 0.05 * torch.randn(1, 64, 64, channels)
    for alpha in (torch.ones(1, 64, 64, 1), torch.rand(1, 64, 64, 1)):
        transparent = torch.cat([image, alpha], -1)
        assert EstimateNoise.execute(image=transparent).args == EstimateNoise.execute(image=image).args
        pair = {"degradation": Denoising(), "seed": 1}
        for damaged, expected in zip(
            ApplyDegradation.execute(image=transparent, **pair).args,
            ApplyDegradation.execute(image=image, **pair).args,
            strict=True,
        ):
            assert torch.equal(damaged, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_pictures_of_any_type_come_out_in_float32(dtype):
    """Whoever hands one through as it is, such as renoise 0; the host saves no bfloat16."""
    image = torch.rand(1, 16, 16, 3).to(dtype)
    given = {"degradation": Denoising(), "measurement": image}
    model = analytic_model(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1) ** 2))
    results = [
        RenoisedPosteriorSampling.execute(model=model, estimate=image, renoise=0.0, **given).args[0],
        KeepMeasured.execute(image=image, keep_colors=False, **given).args[0],
        Blend.execute(estimate=image, sample=image, amount=0.0).args[0],
    ]
    for result in results:
        assert torch.equal(result, image.float()) and result.dtype == torch.float32


def test_the_server_refuses_it_too(server):
    """By itself ComfyUI 0.3.75 passes any choice on, and any host whatever number a link brings."""
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0}},
        "2": {"class_type": "MAPRPS_Denoising", "inputs": {}},
        "3": {
            "class_type": "MAPRPS_ApplyDegradation",
            "inputs": {"image": ["1", 0], "degradation": ["2", 0], "noise": "nonsense"},
        },
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 1]}},
    }
    with pytest.raises(PromptError) as failed:
        server.run(prompt)
    assert failed.value.kind == "invalid" or "noise is 'nonsense': choose one of Gaussian, Poisson." in str(
        failed.value
    )
