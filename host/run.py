"""Runs a solver inside the host's own sampling, so that loading, memory, conditioning and patches are the host's."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.samplers
import latent_preview
import torch
from torch import Tensor

from ..solvers.problem import Callback
from .denoiser import HostDenoiser
from .gradients import differentiable, ordinary_conditioning

Solve = Callable[[HostDenoiser, Callback], Tensor]

UNCONDITIONAL = [[None, {}]]
GRADIENT_MEMORY = 4  # a graph through a UNet holds this many times what inference does, and more than it costs to ask


def run_solver(
    model,
    solve: Solve,
    shape: tuple[int, ...],
    seed: int,
    positive: list | None = None,
    negative: list | None = None,
    cfg: float = 1.0,
    gradients: bool = False,
) -> Tensor:
    """solve(denoise, callback) with the model on its device; returns what it returns, on the host's image device.

    shape: [B, C, H, W] of what the model denoises, for the host's memory estimate. gradients: the solver differentiates
    through the model.
    """
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or UNCONDITIONAL, negative or UNCONDITIONAL)
    guider.set_cfg(cfg)
    if gradients:
        need = GRADIENT_MEMORY * model.memory_required(list(shape))
        comfy.model_management.load_models_gpu([model], memory_required=need)
    zeros = torch.zeros(shape)
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.tensor([float(sampling.sigma_max), 0.0])
    result = guider.sample(zeros, zeros, _Solver(solve, model, gradients), sigmas, disable_pbar=True, seed=seed)
    return result.to(comfy.model_management.intermediate_device())


class _Solver(comfy.samplers.Sampler):
    """What the host calls once everything is loaded; the noise it offers is not used."""

    def __init__(self, solve: Solve, model, gradients: bool):
        self.solve, self.model, self.gradients = solve, model, gradients

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_, **__):
        denoise = HostDenoiser(model_wrap, extra_args.get("model_options", {}), extra_args.get("seed"))
        mode = differentiable(model_wrap.inner_model) if self.gradients else torch.inference_mode(False)
        report = self._reporter()
        with mode, torch.no_grad():
            if self.gradients:
                model_wrap.conds = ordinary_conditioning(model_wrap.conds)
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
