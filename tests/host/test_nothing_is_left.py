"""What a run leaves behind, however it ends: nothing. The person's MODEL, VAE, CLIP, LoRA and ControlNet are bit for
bit what they were, and so are the host's and torch's settings and functions."""

import ast
import sys
from pathlib import Path

import comfy.model_management
import pytest
import torch
from labs.host_attachments import with_attachments

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
    """Everything of a MODEL, or of a VAE's, CLIP's or ControlNet's patcher, that a run could change. Unloaded, so that
    the weights are without what the host puts on them while they are in use."""
    comfy.model_management.unload_all_models()
    modules = dict(patcher.model.named_modules())
    return {
        "weights": {name: (value.dtype, value.clone()) for name, value in patcher.model.state_dict().items()},
        "options": repr(patcher.model_options),
        "patches": (repr(patcher.patches), repr(patcher.object_patches), repr(patcher.additional_models)),
        "wrappers": (repr(patcher.wrappers), repr(patcher.callbacks), repr(patcher.weight_wrapper_patches)),
        "forwards": [name for name, module in modules.items() if "forward" in module.__dict__],
        "hooks": [name for name, module in modules.items() if module._forward_hooks or module._forward_pre_hooks],
        "training": [name for name, module in modules.items() if module.training],
        "gradients": [name for name, weight in patcher.model.named_parameters() if weight.grad is not None],
    }


def surroundings():
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "training": getattr(comfy.model_management, "in_training", None),
        "cudnn": [
            getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")
        ],
        "precision": torch.get_float32_matmul_precision(),
        "saved tensors": torch._C._autograd._saved_tensors_hooks_is_enabled(),
        "progress": comfy.utils.PROGRESS_BAR_HOOK,
        "random numbers": torch.get_rng_state().tolist(),
        "cancel": comfy.model_management.processing_interrupted(),
    }


def functions():
    """Those of the host and of torch.nn, where they are looked up: attention, sampling, whatever could be replaced."""
    found = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] in ("comfy", "latent_preview") or module_name.startswith("torch.nn."):
            named = {(module_name, name): value for name, value in vars(module).items() if callable(value)}
            classes = [(name, value) for name, value in named.items() if isinstance(value, type)]
            found |= named | {(*name, member): it for name, value in classes for member, it in vars(value).items()}
    return {name: value for name, value in found.items() if callable(value)}


def same(first, second):
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, tuple):
        return all(map(same, first, second))
    return first == second


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "kind, guidance", [("pixel", "proximal"), ("latent", "MMPS"), ("attached", "proximal"), ("attached", "MMPS")]
)
def test_weights_and_settings_are_what_they_were(kind, guidance, end):
    with torch.inference_mode():
        stages = LatentMAPEstimation, LatentRenoisedPosteriorSampling
        if kind == "pixel":
            (model,), more = LoadPixelModel.execute(model_name=EMBEDDED_NAME).args, {}
            stages, patchers = (MAPEstimation, RenoisedPosteriorSampling), [model]
        elif kind == "latent":
            model, vae = LoadLatentExample.execute().args
            more, patchers = {"vae": vae}, [model, vae.patcher]
        else:
            model, more, patchers = with_attachments()
        calls = []

        def run():
            y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
            given = {"model": model, "degradation": SuperResolution(2), "measurement": y, "steps": 2, **more}
            estimate = stages[0].execute(**{**given, "positive": None}).args[0]  # of text models, an empty one by CLIP
            return stages[1].execute(**given, estimate=estimate, guidance=guidance, renoise=0.2).args[-2]

        before = [fingerprint(patcher) for patcher in patchers]
        around, looked_up, first = surroundings(), functions(), run()
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
        assert [name for name, value in functions().items() if looked_up.get(name, value) is not value] == []
        for patcher, old in zip(patchers, before, strict=True):
            new = fingerprint(patcher)
            assert [name for name in old if not same(old[name], new[name])] == []
        assert torch.equal(run(), first)


def test_what_is_attached_counts():
    """LoRA, ControlNet and the CLIP's LoRA: without any of them, the run above gives something else."""
    with torch.inference_mode():
        patched, given, (model, *_) = with_attachments()
        y, z = torch.rand(1, 16, 16, 3), {"samples": torch.zeros(1, 4, 4, 4)}

        def run(model, **changed):
            given_here = {**given, "degradation": SuperResolution(2), "measurement": y, "estimate": z, **changed}
            return LatentRenoisedPosteriorSampling.execute(model, **given_here, renoise=0.5, steps=2).args[1]

        def without_control(prompt):
            return [
                [tokens, {name: value for name, value in more.items() if name != "control"}] for tokens, more in prompt
            ]

        whole = run(patched)
        uncontrolled = {name: without_control(given[name]) for name in ("positive", "negative")}
        for other in (run(model), run(patched, **uncontrolled), run(patched, positive=given["negative"])):
            assert (other - whole).abs().max() > 1e-3


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_knows_the_network(room):
    """By its imports; that no node opens a socket when it runs is tested with any input."""
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & NETWORK, file
