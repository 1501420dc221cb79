"""Weights that stay where they are between a forward and a backward pass.

Newer hosts' DynamicVRAM, the default on NVIDIA since ComfyUI 0.16.0, moves weights to the GPU for one use and may evict
them before the backward pass needs them. What is differentiated through is given weights of its own there, once for
each network and process. What takes no gradients needs none of this.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import comfy.controlnet
import comfy.model_patcher
import comfy.sd
from torch import nn

_own: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
"""By the network that the host may evict: what stands in for it."""


def is_dynamic(patcher: comfy.model_patcher.ModelPatcher) -> bool:
    """Whether the host may evict its weights at any time."""
    return hasattr(patcher, "is_dynamic") and patcher.is_dynamic()


def resident_model(model: comfy.model_patcher.ModelPatcher) -> comfy.model_patcher.ModelPatcher:
    """A MODEL like this one, LoRA and patches included, which the host reads from its file again.

    Raises ValueError where the host does not know the file, because a loader outside the host made the model.
    """
    if not is_dynamic(model):
        return model
    try:
        resident = model.clone(disable_dynamic=True, model_override=_own.get(model.model))
    except RuntimeError as error:
        raise ValueError(
            "DynamicVRAM may evict this model's weights before its gradients are taken, and ComfyUI does not know how "
            "to load them otherwise: start ComfyUI with --disable-dynamic-vram, or choose the guidance 'proximal', "
            "which takes no gradients through the model."
        ) from error
    _own[model.model] = resident.get_clone_model_override()
    return resident


def resident_vae(vae: comfy.sd.VAE) -> comfy.model_patcher.ModelPatcher:
    """The VAE's network as a patcher, in the VAE's own type.

    The host's clone keeps the type of the file, and it knows no file of a VAE that a node made, nor of any before
    0.23: so another VAE is made of the same weights, which the two share as far as they are of the right type.
    """
    if not is_dynamic(vae.patcher):
        return vae.patcher
    network = vae.first_stage_model
    if network not in _own:
        again = comfy.sd.VAE(sd=vae.get_sd(), device=vae.device, dtype=vae.vae_dtype)
        if type(again.first_stage_model) is not type(network):
            raise ValueError(
                f"DynamicVRAM may evict the weights of this VAE ({type(network).__name__}) before its gradients are "
                "taken, and ComfyUI does not know how to load them otherwise: start ComfyUI with "
                "--disable-dynamic-vram."
            )
        own = again.first_stage_model.to(vae.vae_dtype)
        _own[network] = own, again.patcher  # which would take the weights off their device when it ends
    own, evictable = _own[network]
    return comfy.model_patcher.ModelPatcher(own, evictable.load_device, evictable.offload_device)


def resident_conditioning(conditioning: list) -> list:
    """Conditioning as nodes pass it, its ControlNets with weights of their own."""
    return [
        [cond, {**more, "control": _resident_control(more["control"])}] if "control" in more else [cond, more]
        for cond, more in conditioning
    ]


def _resident_control(control: comfy.controlnet.ControlBase) -> comfy.controlnet.ControlBase:
    if not any(is_dynamic(patcher) for patcher in control.get_models()):
        return control
    if isinstance(control, comfy.controlnet.ControlNet) and is_dynamic(control.control_model_wrapped):
        network = control.control_model
        if network not in _own:
            _own[network] = control.deepclone_multigpu(control.load_device)
        own = control.copy()
        own.control_model = _own[network].control_model
        own.control_model_wrapped = _own[network].control_model_wrapped
    else:
        own = control.copy()
    if control.previous_controlnet is not None:
        own.set_previous_controlnet(_resident_control(control.previous_controlnet))
    return own
