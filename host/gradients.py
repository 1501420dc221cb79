"""Gradients through a model that the host loaded.

The host runs nodes under torch.inference_mode(), so the weights it loads are inference tensors, which autograd refuses.
Replacing each by a clone, one at a time, makes them ordinary without a second copy of the model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.conds
import comfy.hooks
import comfy.model_management
import comfy.model_patcher
import torch
from torch import nn

from .residency import is_dynamic

_FLOATS = (
    torch.float64,
    torch.float32,
    torch.bfloat16,
    torch.float16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
"""Types of weights that the host multiplies by as numbers, once it has cast and scaled them."""


_OR = {"model": "choose the guidance 'proximal', which needs none, or ", "VAE": ""}
"""What else can be done where there are no gradients: every guidance takes some through a VAE."""


@contextmanager
def differentiable(*modules: nn.Module, what: str = "model") -> Iterator[None]:
    """Leaves inference mode, with the modules' weights fit for a backward pass to their inputs.

    what: "model" or "VAE", as messages call them. Raises ValueError for weights of integers, which have no gradient,
    for those of a loader's own kind that cannot be cloned, and for a model with a kernel that has none.
    """
    for module in modules:
        _check_floating(module, what)
    with torch.inference_mode(False), kernels_with_backward(), _kernels_without_backward_named(what):
        for module in modules:
            _make_ordinary(module, what)
        yield


def attached_modules(guider) -> list[nn.Module]:
    """What runs beside the guider's model while it samples: ControlNets, and models that GLIGEN and hooks bring.

    Raises ValueError where the host may evict their weights before the backward pass (see `residency`), for prompts
    with different LoRA hooks, between which the host swaps the weights that the backward pass would need, and where the
    host computes attention, of all but its VAEs, without one.
    """
    if comfy.model_management.sage_attention_enabled():
        raise ValueError(
            "Sage attention has no gradients: start ComfyUI without --use-sage-attention, or choose the guidance "
            "'proximal', which takes none through the model."
        )
    entries = [entry for conds in guider.conds.values() for entry in conds]
    if len({_weight_hooks(entry) for entry in entries}) > 1:
        raise ValueError(
            "The positive and negative prompts have different LoRA hooks, through which there are no gradients: give "
            "all of them the same hooks, load the LoRA with 'Load LoRA', or choose the guidance 'proximal'."
        )
    for patcher in (guider.model_patcher, *guider.loaded_models):
        if is_dynamic(patcher):
            raise ValueError(
                f"DynamicVRAM may evict {type(patcher.model).__name__} before gradients pass through it: start ComfyUI "
                "with --disable-dynamic-vram, or choose the guidance 'proximal', which takes none through the model."
            )
    modules = [patcher.model for patcher in guider.loaded_models]
    for entry in entries:
        control = entry.get("control")
        while control is not None:  # a control LoRA makes its network when sampling starts, outside loaded_models
            modules += [value for value in vars(control).values() if isinstance(value, nn.Module)]
            control = control.previous_controlnet
    return modules


def with_own_skips(model_options: dict) -> dict:
    """The next block of a UNet gets a copy of each skip, for the host adds a ControlNet's output to the skip in place.

    Without, autograd refuses the backward pass.
    """
    options = comfy.model_patcher.create_model_options_clone(model_options)
    patches = options.setdefault("transformer_options", {}).setdefault("patches", {})
    patches.setdefault("input_block_patch_after_skip", []).append(lambda skip, _: skip.clone())
    return options


@contextmanager
def without_caches(model: nn.Module) -> Iterator[None]:
    """A model that keeps what it computed of the prompt, as HiDream-O1 does, starts and ends with nothing kept.

    What it keeps from inference mode would fail in a graph, and what it keeps of a graph in the next one.
    """
    clear = getattr(model.diffusion_model, "clear_kv_cache", lambda: None)
    clear()
    yield
    clear()


def ordinary_copy(thing: Any) -> Any:
    """The same with its inference tensors cloned, for a latent format with tensors of mean and std."""
    with torch.inference_mode(False):
        made = copy.copy(thing)
        vars(made).update({name: _cloned(value) for name, value in vars(thing).items()})
        return made


def ordinary_conditioning(conds: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The guider's processed conditioning with inference tensors cloned. Call outside inference mode."""
    return {key: [_cloned(entry) for entry in entries] for key, entries in conds.items()}


def _check_floating(module: nn.Module, what: str) -> None:
    for name, parameter in module.named_parameters():
        stored = getattr(parameter, "_qdata", parameter).dtype  # inside the host's own quantized tensors
        if stored not in _FLOATS:
            raise ValueError(
                f"This {what}'s weights are quantized ({name} is {stored}), so it has no gradients: {_OR[what]}load "
                f"the {what} with fp8 or fp16 weights."
            )


def _make_ordinary(module: nn.Module, what: str) -> None:
    for child in module.modules():
        for name, parameter in child._parameters.items():
            if parameter is None or parameter.is_pinned():  # the host's, which it copies to the GPU for every use
                continue
            if parameter.is_inference() or parameter.requires_grad:
                ordinary = nn.Parameter(parameter.detach().clone(), requires_grad=False)
                if ordinary.is_inference():  # tensors of a loader's own, such as one for GGUF, may stay as they are
                    raise ValueError(
                        f"This {what}'s loader keeps weights as {type(ordinary).__name__}, through which there are no "
                        f"gradients: {_OR[what]}load the {what} from a safetensors file."
                    )
                child._parameters[name] = ordinary
        for name, buffer in child._buffers.items():
            if buffer is not None and buffer.is_inference():
                child._buffers[name] = buffer.clone()


@contextmanager
def kernels_with_backward() -> Iterator[None]:
    """Newer hosts compute rotary embeddings by kernels without a backward pass unless told that they train."""
    management = comfy.model_management
    if not hasattr(management, "in_training"):
        yield
        return
    before = management.in_training
    management.in_training = True
    try:
        yield
    finally:
        management.in_training = before


@contextmanager
def _kernels_without_backward_named(what: str) -> Iterator[None]:
    """Newer hosts compute some models, as Cosmos Predict2, by kernels that have no backward pass under any setting."""
    try:
        yield
    except RuntimeError as error:
        if "no autograd formula" not in str(error):
            raise
        kernel = str(error).removeprefix("Trying to backward through ").split()[0]
        raise ValueError(
            f"This ComfyUI computes the {what} by a kernel that has no gradients ({kernel}): {_OR[what]}load another "
            f"{what}."
        ) from error


def _weight_hooks(entry: dict) -> frozenset:
    hooks = entry.get("hooks")
    return frozenset(hooks.get_type(comfy.hooks.EnumHookType.Weight) if hooks else ())


def _cloned(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, dict):
        return {key: _cloned(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_cloned(entry) for entry in value]
    if isinstance(value, comfy.conds.CONDRegular):
        value = copy.copy(value)
        value.cond = _cloned(value.cond)
    return value
