"""Cancelled at any of its reports of progress, a node stops, by the host's own interrupt, and the next run gives the
same bits as if nothing had been."""

import comfy.model_management
import comfy.utils
import comfy_extras.nodes_custom_sampler as custom
import pytest
import torch
from labs.host_models import analytic_model
from labs.host_vaes import linear_vae

from maprps.nodes.choices import GUIDANCE, METHODS, SAMPLERS
from maprps.nodes.custom_sampling import PosteriorGuiderNode, PosteriorSamplerNode
from maprps.nodes.estimate_blur import EstimateBlur
from maprps.nodes.map_estimation import LatentMAPEstimation, MAPEstimation
from maprps.nodes.metrics import Metrics
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling, RenoisedPosteriorSampling
from maprps.nodes.restore_photo import RestorePhoto
from maprps.nodes.traversal import Traversal
from maprps.operators.blur import GaussianBlur

PHOTO = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
EDGES = PHOTO[:, ::4, ::4].repeat_interleave(8, 1).repeat_interleave(8, 2)
MEASURED = {"degradation": GaussianBlur(5, 1.0), "measurement": PHOTO}
SAMPLE = {**MEASURED, "estimate": PHOTO, "renoise": 0.3, "steps": 4}
LATENT_SAMPLE = {**SAMPLE, "estimate": {"samples": torch.zeros(1, 3, 8, 8)}, "guidance_scale": 0.01}

WORK = {
    "level": (RenoisedPosteriorSampling, {**SAMPLE, "level": "as sharp as a photo"}),
    "traversal": (Traversal, {**MEASURED, "estimate": PHOTO, "levels": "0.1, 0.3", "steps": 3}),
    "photo": (RestorePhoto, {"image": PHOTO, "damage": "noise", "renoise": 0.2}),
    "blur": (EstimateBlur, {"photo": EDGES, "size": 5}),
    "metrics": (Metrics, {"image": PHOTO, "reference": PHOTO.flip(1)}),
    "our sampler": (PosteriorSamplerNode, MEASURED),
    "our guider": (PosteriorGuiderNode, MEASURED),
}
for name in METHODS.of("pixel").names:
    WORK[f"MAP, {name}"] = MAPEstimation, {**MEASURED, "method": name, "steps": 5}
for name in METHODS.of("latent").names:
    WORK[f"latent MAP, {name}"] = LatentMAPEstimation, {**MEASURED, "method": name, "steps": 5}
for name in GUIDANCE.of("pixel").names:
    WORK[f"sample, {name}"] = RenoisedPosteriorSampling, {**SAMPLE, "guidance": name}
for name in GUIDANCE.of("latent").names:
    WORK[f"latent sample, {name}"] = LatentRenoisedPosteriorSampling, {**LATENT_SAMPLE, "guidance": name}
for name in SAMPLERS.names:
    WORK[f"sample, {name}"] = RenoisedPosteriorSampling, {**SAMPLE, "sampler": name}


def models(node):
    """Those that the node takes; a pixel model where a VAE need not be."""
    required = {input.id for input in node.define_schema().inputs if input.id == "model" or not input.optional}
    made = {
        "model": analytic_model(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1) ** 2)),
        "vae": linear_vae(),
    }
    return {name: model for name, model in made.items() if name in required}


def run(node, given):
    """What it gives; of SAMPLER and GUIDER, what the host's SamplerCustomAdvanced makes of it."""
    outputs = node.execute(**given).args
    if node in (PosteriorSamplerNode, PosteriorGuiderNode):
        if node is PosteriorSamplerNode:
            pair = custom.BasicGuider.execute(given["model"], [[None, {}]]).args[0], outputs[0]
        else:
            pair = outputs[0], custom.KSamplerSelect.execute("euler").args[0]
        noise, levels = custom.Noise_RandomNoise(3), torch.tensor([2.0, 1.0, 0.5, 0.2, 0.0])
        latent = {"samples": torch.zeros(1, 3, 32, 32)}
        outputs = custom.SamplerCustomAdvanced.execute(noise, *pair, levels, latent).args
    return [value["samples"] if isinstance(value, dict) else value for value in outputs]


@pytest.fixture
def interrupted_at(monkeypatch):
    """interrupted_at(k): the host will be told to stop at the k-th report of progress. A list that grows by each."""
    update = comfy.utils.ProgressBar.update_absolute

    def set_at(k):
        reports = []

        def updated(*args, **kwargs):
            reports.append(args)
            if len(reports) == k:
                comfy.model_management.interrupt_current_processing()
            return update(*args, **kwargs)

        monkeypatch.setattr(comfy.utils.ProgressBar, "update_absolute", updated)
        return reports

    yield set_at
    comfy.model_management.interrupt_current_processing(False)


@pytest.mark.parametrize("name", WORK)
def test_stops_and_leaves_nothing(interrupted_at, name):
    node, given = WORK[name]
    given = {**given, **models(node)}
    with torch.inference_mode():
        reports = interrupted_at(0)
        first = run(node, given)
        count = len(reports)
        assert count >= 2
        for k in sorted({1, 2, count // 2, count - 1}):
            reports = interrupted_at(k)
            with pytest.raises(comfy.model_management.InterruptProcessingException):
                run(node, given)
            assert len(reports) <= k + 1
            assert all(map(same, run(node, given), first))


def same(value, other):
    return torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other
