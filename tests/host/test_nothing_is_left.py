"""What a run leaves behind, however it ends: nothing. The person's MODEL and VAE are bit for bit what they were, and
so are the host's and torch's settings."""

import ast
from pathlib import Path

import comfy.model_management
import pytest
import torch

from maprps.nodes.load_latent_example import LoadLatentExample
from maprps.nodes.load_pixel_model import EMBEDDED_NAME, LoadPixelModel
from maprps.nodes.map_estimation import LatentMAPEstimation, MAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling, RenoisedPosteriorSampling
from maprps.operators.resampling import SuperResolution

ROOT = Path(__file__).absolute().parents[2]
ROOMS = ("nodes", "host", "solvers", "operators", "linalg", "models", "estimation", "evaluation")
NETWORK = {"socket", "ssl", "http", "urllib", "requests", "aiohttp", "ftplib", "smtplib", "huggingface_hub", "asyncio"}


class Broken(Exception):
    """A fault somewhere in the model."""


def cancel():
    comfy.model_management.interrupt_current_processing()
    comfy.model_management.throw_exception_if_processing_interrupted()


def fail(error):
    def raises():
        raise error

    return raises


ENDS = {
    "good": None,
    "failed": (fail(Broken()), Broken),
    "cancelled": (cancel, comfy.model_management.InterruptProcessingException),
    "out of memory": (fail(torch.OutOfMemoryError("no memory left")), MemoryError),  # also in the smallest pieces
}


def fingerprint(patcher):
    """Everything of a MODEL, or of a VAE's patcher, that a run could change."""
    modules = dict(patcher.model.named_modules())
    return {
        "weights": {name: (value.dtype, value.clone()) for name, value in patcher.model.state_dict().items()},
        "options": repr(patcher.model_options),
        "patches": (repr(patcher.patches), repr(patcher.object_patches), repr(patcher.additional_models)),
        "forwards": [name for name, module in modules.items() if "forward" in module.__dict__],
        "hooks": [name for name, module in modules.items() if module._forward_hooks or module._forward_pre_hooks],
        "training": [name for name, module in modules.items() if module.training],
    }


def surroundings():
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "training": getattr(comfy.model_management, "in_training", None),
        "random numbers": torch.get_rng_state().tolist(),
        "cancel": comfy.model_management.processing_interrupted(),
    }


def same(first, second):
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, tuple):
        return all(map(same, first, second))
    return first == second


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind, guidance", [("pixel", "proximal"), ("latent", "MMPS")])
def test_weights_and_settings_are_what_they_were(kind, guidance, end):
    with torch.inference_mode():
        if kind == "pixel":
            (model,), vae = LoadPixelModel.execute(model_name=EMBEDDED_NAME).args, {}
            stages = MAPEstimation, RenoisedPosteriorSampling
        else:
            model, vae = LoadLatentExample.execute().args
            vae = {"vae": vae}
            stages = LatentMAPEstimation, LatentRenoisedPosteriorSampling
        patchers = [model, *(value.patcher for value in vae.values())]
        calls = []

        def run():
            y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
            given = {"model": model, "degradation": SuperResolution(2), "measurement": y, "steps": 2, **vae}
            estimate = stages[0].execute(**given).args[0]
            return stages[1].execute(**given, estimate=estimate, guidance=guidance, renoise=0.2).args[-2]

        before = [fingerprint(patcher) for patcher in patchers]
        around, first = surroundings(), run()
        if ENDS[end]:
            act, error = ENDS[end]
            network = model.model.diffusion_model
            handle = network.register_forward_pre_hook(
                lambda *_: calls.append(1) or (len(calls) >= 4 and act()) or None
            )
            with pytest.raises(error):
                run()
            handle.remove()
        assert [name for name, value in around.items() if surroundings()[name] != value] == []
        for patcher, old in zip(patchers, before, strict=True):
            new = fingerprint(patcher)
            assert [name for name in old if not same(old[name], new[name])] == []
        assert torch.equal(run(), first)


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_knows_the_network(room):
    """By its imports; that no node opens a socket when it runs is tested with any input."""
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & NETWORK, file
