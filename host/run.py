"""Runs a solver inside the host's own sampling, so that loading, memory, conditioning and patches are the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import comfy.model_management
import comfy.samplers
import latent_preview
import torch
from torch import Tensor

from ..solvers.problem import Callback
from .checkpointing import checkpointed
from .denoiser import HostDenoiser
from .gradients import attached_modules, differentiable, ordinary_conditioning, with_resident_weights
from .vae import HostVAE

Solve = Callable[[HostDenoiser, Callback], Tensor]

UNCONDITIONAL = [[None, {}]]
GRADIENT_MEMORY = 4  # a graph through a UNet holds this many times what inference does, and more than it costs to ask
CHECKPOINTED_MEMORY = 2  # the same of a graph whose blocks are checkpointed


def run_solver(
    model,
    solve: Solve,
    shape: tuple[int, ...],
    seed: int,
    positive: list | None = None,
    negative: list | None = None,
    cfg: float = 1.0,
    gradients: bool = False,
    vae: HostVAE | None = None,
) -> Tensor:
    """solve(denoise, callback) with the model on its device; returns what it returns, on the host's image device.

    shape: [B, C, H, W] of what the model denoises, for the host's memory estimate. gradients: the solver differentiates
    through the model. vae: loaded beside the model, for a solver that differentiates through its decoder.
    """
    if gradients:
        model = with_resident_weights(model)
    if vae is not None:
        model = with_vae(model, vae)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or UNCONDITIONAL, negative or positive or UNCONDITIONAL)
    guider.set_cfg(cfg)
    if gradients or vae is not None:
        load(model, shape, gradients, vae)
    zeros = torch.zeros(shape)
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.tensor([float(sampling.sigma_max), 0.0])
    result = guider.sample(zeros, zeros, _Solver(solve, model, gradients, vae), sigmas, disable_pbar=True, seed=seed)
    return result.to(comfy.model_management.intermediate_device())


def with_vae(model, vae: HostVAE):
    """A clone of the model that the host loads together with the VAE."""
    model = model.clone()
    model.set_additional_models("maprps", [vae.patcher])
    return model


@contextmanager
def solving(
    guider: comfy.samplers.CFGGuider, model, shape: Sequence[int], gradients: bool, vae: HostVAE | None
) -> Iterator[None]:
    """Out of inference mode, with the model (where `gradients`) and the VAE fit for backward passes.

    Blocks are checkpointed, and a decoder goes tile by tile, where the free memory asks for it. Everything is loaded.
    """
    free = comfy.model_management.get_free_memory(model.load_device)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        if vae is not None:
            stack.enter_context(differentiable(vae.network))
            if vae.spare_memory(shape[0], free):
                stack.enter_context(checkpointed(vae.network))
        if gradients:
            stack.enter_context(differentiable(guider.inner_model, *attached_modules(guider)))
            guider.conds = ordinary_conditioning(guider.conds)
            if free < GRADIENT_MEMORY * model.memory_required(list(shape)):
                stack.enter_context(checkpointed(guider.inner_model))
        yield


def load(model, shape: Sequence[int], gradients: bool, vae: HostVAE | None) -> None:
    """Asks the host for the memory that `solving` takes."""
    need = (CHECKPOINTED_MEMORY if gradients else 1) * model.memory_required(list(shape))
    if vae is None:
        comfy.model_management.load_models_gpu([model], memory_required=need)
    else:
        comfy.model_management.load_models_gpu([model, vae.patcher], memory_required=need + vae.memory(shape[0]))


class _Solver(comfy.samplers.Sampler):
    """What the host calls once everything is loaded; the noise it offers is not used."""

    def __init__(self, solve: Solve, model, gradients: bool, vae: HostVAE | None):
        self.solve, self.model, self.gradients, self.vae = solve, model, gradients, vae

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_, **__):
        denoise = HostDenoiser(model_wrap, extra_args.get("model_options", {}), extra_args.get("seed"))
        report = self._reporter()
        with solving(model_wrap, self.model, noise.shape, self.gradients, self.vae):
            return self.solve(denoise, report)

    def _reporter(self) -> Callback:
        show = None

        def report(step: int, total: int, estimate: Tensor) -> None:
            nonlocal show
            comfy.model_management.throw_exception_if_processing_interrupted()
            if show is None:
                show = latent_preview.prepare_callback(self.model, total)
            show(step - 1, estimate, estimate, total)

        return report
