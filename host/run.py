"""Runs a solver inside the host's own sampling, so that loading, memory, conditioning and patches are the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import latent_preview
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from ..solvers.problem import Callback
from .checkpointing import differentiable_blocks
from .denoiser import HostDenoiser
from .frames import has_frame_axis, with_frame_axis
from .gradients import attached_modules, differentiable, ordinary_conditioning
from .pixel_model import HostPixelNetwork
from .residency import resident_conditioning, resident_model
from .vae import HostVAE

Result = TypeVar("Result")
Solve = Callable[[HostDenoiser, Callback], Result]

UNCONDITIONAL: list = [[None, {}]]
MODEL_GRAPH = 4  # a graph through a UNet holds this many times what inference does, and more than it costs to ask
NEVER_OVERWRITES = UNetModel, HostPixelNetwork
"""Networks, also with ControlNets, whose graph is right as it is; through blocks it would take an eighth longer."""
CHECKPOINTED_MODEL_GRAPH = 2  # the same of a graph whose blocks are checkpointed


@dataclass(frozen=True)
class Conditioning:
    """Prompts as the host encodes them, and the weight of the positive one against the negative."""

    positive: list | None = None
    negative: list | None = None
    cfg: float = 1.0

    def apply(self, guider: comfy.samplers.CFGGuider, gradients: bool = False) -> None:
        """gradients: for a solver that differentiates through the model, and through the ControlNets with it."""
        positive, negative = self.positive or UNCONDITIONAL, self.negative or self.positive or UNCONDITIONAL
        if gradients:
            positive, negative = resident_conditioning(positive), resident_conditioning(negative)
        guider.set_conds(positive, negative)
        guider.set_cfg(self.cfg)


@dataclass(frozen=True)
class Workload:
    """What the host has to make room for.

    shape: [B, C, h, w] of what is denoised. gradients: the solver differentiates through the model. vae: loaded
    beside the model, for a solver that differentiates through its decoder.
    """

    model: comfy.model_patcher.ModelPatcher
    shape: tuple[int, ...]
    gradients: bool = False
    vae: HostVAE | None = None

    @property
    def host_shape(self) -> tuple[int, ...]:
        """As the model has it: of an image model on a video's VAE [B, C, 1, h, w]."""
        batch, channels, *size = self.shape
        return (batch, channels, *[1] * has_frame_axis(self.model.model.latent_format), *size)

    def resident(self) -> Workload:
        """The same on a model that can be differentiated, and that the host loads together with the VAE."""
        model = resident_model(self.model) if self.gradients else self.model
        if self.vae is not None:
            model = model.clone()
            model.set_additional_models("maprps", [self.vae.patcher])
        return replace(self, model=model)

    def load(self) -> None:
        """Asks the host for the memory that `solving` takes."""
        need = (CHECKPOINTED_MODEL_GRAPH if self.gradients else 1) * self.model.memory_required(list(self.host_shape))
        patchers = [self.model]
        if self.vae is not None:
            patchers.append(self.vae.patcher)
            need += self.vae.memory(self.shape[0])
        comfy.model_management.load_models_gpu(patchers, memory_required=need)

    @contextmanager
    def solving(self, guider: comfy.samplers.CFGGuider) -> Iterator[None]:
        """Out of inference mode, with the model (where `gradients`) and the VAE fit for backward passes.

        Blocks are checkpointed, and a decoder goes tile by tile, where the free memory asks for it. Everything is
        loaded.
        """
        free = comfy.model_management.get_free_memory(self.model.load_device)
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            if self.vae is not None:
                stack.enter_context(differentiable(self.vae.network))
                if self.vae.spare_memory(self.shape[0], free):
                    stack.enter_context(differentiable_blocks(self.vae.network, short_of_memory=True))
            if self.gradients:
                networks = guider.inner_model, *attached_modules(guider)
                stack.enter_context(differentiable(*networks))
                guider.conds = ordinary_conditioning(guider.conds)
                short = free < MODEL_GRAPH * self.model.memory_required(list(self.host_shape))
                if short or not isinstance(guider.inner_model.diffusion_model, NEVER_OVERWRITES):
                    stack.enter_context(differentiable_blocks(*networks, short_of_memory=short))
            yield


def run_solver(
    workload: Workload, solve: Solve[Result], seed: int, conditioning: Conditioning = Conditioning()
) -> Result:
    """Returns solve(denoise, callback), with the model on its device."""
    workload = workload.resident()
    guider = comfy.samplers.CFGGuider(workload.model)
    conditioning.apply(guider, workload.gradients)
    if workload.gradients or workload.vae is not None:
        workload.load()
    zeros = torch.zeros(workload.host_shape)
    sampling = workload.model.get_model_object("model_sampling")
    sigmas = torch.tensor([float(sampling.sigma_max), 0.0])
    sampler = _Solver(workload, solve)
    guider.sample(zeros, zeros, sampler, sigmas, disable_pbar=True, seed=seed)
    return sampler.result


class _Solver(comfy.samplers.Sampler, Generic[Result]):
    """What the host calls once everything is loaded. It offers noise, which is not used, and takes latents back, where
    there is more to return: that is kept in `result`."""

    result: Result

    def __init__(self, workload: Workload, solve: Solve[Result]):
        self.workload, self.solve = workload, solve

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_, **__) -> Tensor:
        denoise = HostDenoiser(model_wrap, extra_args.get("model_options", {}), extra_args.get("seed"))
        with self.workload.solving(model_wrap):
            self.result = self.solve(denoise, self._reporter())
        return noise

    def _reporter(self) -> Callback:
        show = None

        def report(step: int, total: int, estimate: Tensor) -> None:
            nonlocal show
            comfy.model_management.throw_exception_if_processing_interrupted()
            if show is None:
                show = latent_preview.prepare_callback(self.workload.model, total)
            estimate = with_frame_axis(estimate, self.workload.model.model.latent_format)
            show(step - 1, estimate, estimate, total)

        return report
