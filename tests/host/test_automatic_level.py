"""A level that is chosen: the number that the text says gives the same picture when it is typed in."""

import re

import pytest
import torch

from maprps.host.latent_example import load_latent_example
from maprps.host.pixel_model import as_host_model
from maprps.models import load_embedded
from maprps.nodes.map_estimation import LatentMAPEstimation, MAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling, RenoisedPosteriorSampling
from maprps.nodes.traversal import Traversal
from maprps.operators.resampling import SuperResolution

CHOSEN = "as sharp as a photo"


@pytest.fixture(autouse=True)
def as_the_host_runs_nodes():
    with torch.inference_mode():
        yield


def measured():
    return torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["pixel", "latent"])
def test_the_level_that_is_said_is_the_one_that_was_taken(kind):
    models = (as_host_model(load_embedded()),) if kind == "pixel" else load_latent_example()
    first, second = (
        (MAPEstimation, RenoisedPosteriorSampling)
        if kind == "pixel"
        else (LatentMAPEstimation, LatentRenoisedPosteriorSampling)
    )
    given = (*models, SuperResolution(2), measured())
    estimate = first.execute(*given, steps=2).args[0]
    *_, chosen, text = second.execute(*given, estimate, level=CHOSEN).args
    level = float(re.match(r"renoise ([0-9.e-]+) ", text)[1])
    assert 0 < level <= 1
    *_, typed, again = second.execute(*given, estimate, renoise=level).args
    assert torch.equal(typed, chosen) and again == text


def test_traversal_takes_it_among_its_levels():
    given = (as_host_model(load_embedded()), SuperResolution(2), measured())
    estimate = MAPEstimation.execute(*given, steps=2).args[0]
    images, *_, text = Traversal.execute(*given, estimate, levels="0, auto").args
    level = float(re.match(r"renoise ([0-9.e-]+):", text.splitlines()[1])[1])
    sample = RenoisedPosteriorSampling.execute(*given, estimate, renoise=level).args[0]
    assert torch.equal(images[1:], sample)
    with pytest.raises(ValueError, match="numbers from 0 to 1, or auto"):
        Traversal.execute(*given, estimate, levels="0, automatic")
