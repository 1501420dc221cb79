"""Whatever a node is given: a finite result, or a ValueError of one sentence before that; and the givens stay.

Hypothesis draws the inputs from each node's own schema, in and out of range, and always the same ones. No node opens a
socket.
"""

import math
import socket

import folder_paths
import pytest
import torch
from comfy_api.latest import io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labs.degradations import random_kernel, random_mask
from labs.host_models import analytic_model
from labs.host_vaes import linear_vae

from maprps.nodes import NODES
from maprps.nodes.inputs import DegradationType
from maprps.nodes.load_latent_example import LoadLatentExample
from maprps.nodes.load_pixel_model import EMBEDDED_NAME, LoadPixelModel
from maprps.operators.blur import GaussianBlur
from maprps.operators.clipped import Clipped
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.jpeg import JPEG
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.resampling import SuperResolution
from maprps.operators.stack import Stack

EXAMPLES = 8
DEGRADATIONS = [
    Denoising(),
    GaussianBlur(5, 1.0),
    MotionBlur(3.0),
    random_kernel(3, 4),
    random_mask(16, 12),
    SuperResolution(2),
    Colorization(),
    CompressedSensing(2.0),
    PhaseRetrieval(),
    HDR(),
    JPEG(),
    Compose(GaussianBlur(5, 1.0), SuperResolution(2)),
    Stack(Denoising(), SuperResolution(2)),
    Clipped(GaussianBlur(5, 1.0)),
]
FEWER = {  # what would take long, and adds nothing
    "width": st.integers(1, 24),
    "height": st.integers(1, 24),
    "steps": st.integers(1, 2),
    "samples": st.integers(1, 2),
    "sampler": st.just("few steps"),
    "method": st.sampled_from(["fast", "nonsense"]),
}
SIDES = st.sampled_from([(16, 12), (16, 12), (16, 12), (8, 6), (17, 13), (1, 1), (12, 24)])


@st.composite
def pictures(draw, channels=(3, 3, 3, 3, 1, 4)):
    """IMAGE, or MASK with channels (); mostly of one size, sometimes with a value that is none."""
    count, (height, width) = draw(st.sampled_from([1, 1, 1, 2, 3])), draw(SIDES)
    shape = (count, height, width, draw(st.sampled_from(channels))) if channels else (count, height, width)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    image = draw(st.sampled_from([image, image, image, image * 3 - 1, image.round(), image * 0, image.half()]))
    if draw(st.integers(0, 9)) == 0:
        image = image.clone()
        image.view(-1)[0] = draw(st.sampled_from([math.nan, math.inf]))
    return image


def values(input):
    """A strategy for an input of a schema; None of one that is drawn elsewhere."""
    if input.id in FEWER and not isinstance(input, io.Float.Input):
        return FEWER[input.id]
    if isinstance(input, io.Combo.Input):
        return st.sampled_from([*input.options, "nonsense"])
    if isinstance(input, io.Float.Input):
        odd = st.sampled_from([math.nan, math.inf, input.max + 1, input.min - 1])
        return st.one_of(st.just(input.default), st.floats(input.min, min(input.max, 50.0)), odd)
    if isinstance(input, io.Int.Input):
        return st.one_of(st.just(input.default), st.integers(input.min, min(input.max, 2**64 - 1)))
    if isinstance(input, io.Boolean.Input):
        return st.booleans()
    if isinstance(input, DegradationType.Input):
        return st.sampled_from(DEGRADATIONS)
    if isinstance(input, io.Image.Input):
        return pictures()
    if isinstance(input, io.Mask.Input):
        return pictures(channels=())
    if isinstance(input, io.Latent.Input):
        return st.sampled_from([(1, 3, 4, 3), (1, 3, 8, 6), (2, 3, 4, 3)]).map(lambda s: {"samples": torch.zeros(s)})
    if isinstance(input, io.String.Input):
        return st.sampled_from(["0, 0.1", "", "nan", "1, x", "2"])
    return None


@st.composite
def inputs(draw, node):
    drawn = {}
    for input in node.define_schema().inputs:
        strategy = values(input)
        if strategy is not None and not (input.optional and draw(st.booleans())):
            drawn[input.id] = draw(strategy)
    return drawn


def models(node):
    """What only has to be there."""
    named = {input.id for input in node.define_schema().inputs}
    given = {"model": analytic_model(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1) ** 2)), "vae": linear_vae()}
    return {name: value for name, value in given.items() if name in named}


def tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from tensors(entry)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a node has opened a socket")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.parametrize("load, inputs", [(LoadPixelModel, {"model_name": EMBEDDED_NAME}), (LoadLatentExample, {})])
def test_loaders_read_their_files_alone(no_network, load, inputs):
    assert all(load.execute(**inputs).args)


@pytest.mark.parametrize(
    "node", [node for node in NODES if node not in (LoadPixelModel, LoadLatentExample)], ids=lambda node: node.__name__
)
def test_a_result_or_one_sentence(node, tmp_path, monkeypatch, no_network):
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))  # of what nodes show
    given_models = models(node)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(node))
    def check(drawn):
        before = [tensor.clone() for tensor in tensors(drawn)]
        try:
            with torch.inference_mode():
                results = node.execute(**given_models, **drawn).args
        except (ValueError, RuntimeError) as error:
            named = isinstance(error, ValueError) or "Conjugate gradients stopped" in str(error)
            assert named and str(error).endswith(".") and "\n" not in str(error), error
        else:
            assert all(result.isfinite().all() for result in tensors(results))
        for tensor, original in zip(tensors(drawn), before, strict=True):
            assert torch.equal(tensor.nan_to_num(7.0), original.nan_to_num(7.0))

    check()
