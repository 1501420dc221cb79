"""Runs a solver inside the host's own sampling, so that loading, memory, conditioning and patches are the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import latent_preview
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.patcher_extension import WrappersMP, add_wrapper
from torch import Tensor

from ..solvers.problem import Callback
from .checkpointing import differentiable_blocks
from .denoiser import HostDenoiser
from .frames import has_frame_axis, with_frame_axis
from .gradients import attached_modules, differentiable, kernels_with_backward, ordinary_conditioning
from .memory import obtainable_memory, sparing
from .pixel_model import HostPixelNetwork
from .residency import resident_conditioning, resident_model
from .tiled_model import network_cuts
from .tiles import WHOLE, Cut, choose
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
    beside the model; a solver may differentiate through it too. tile: pixels of a tile's side, 0 for tiles only where
    the whole does not fit. cut, frugal: see `planned`.
    """

    model: comfy.model_patcher.ModelPatcher
    shape: tuple[int, ...]
    gradients: bool = False
    vae: HostVAE | None = None
    tile: int = 0
    cut: Cut = WHOLE
    frugal: bool = False

    @property
    def host_shape(self) -> tuple[int, ...]:
        """As the model has it: of an image model on a video's VAE [B, C, 1, h, w]."""
        return self._host_shape(self.shape[0], *self.shape[2:])

    def resident(self) -> Workload:
        """The same on a model that can be differentiated, and that the host loads together with the VAE."""
        model = resident_model(self.model) if self.gradients else self.model
        if self.vae is not None:
            if self.gradients:
                self.vae.keep_weights()
            model = model.clone()
            model.set_additional_models("maprps", [self.vae.patcher])
        return replace(self, model=model)

    def planned(self, frugal: bool = False) -> Workload:
        """The same, cut to what the host can make room for, the VAE's part with it; what fits stays whole.

        frugal: after more had been asked than there was, in small tiles and with blocks checkpointed.
        """
        free, ratio = obtainable_memory(self.model.load_device), 1 if self.vae is None else self.vae.ratio
        height, width = self.shape[2:]
        if self.vae is not None:
            self.vae.plan(self.shape[0], free, self.tile, frugal)
        cuts = network_cuts(self.model, (height, width), ratio, self.tile)
        graph = CHECKPOINTED_MODEL_GRAPH if self.gradients else 1
        cut = choose(cuts, lambda cut: graph * replace(self, cut=cut).calling <= free, frugal)
        return replace(self, cut=cut, frugal=frugal)

    @property
    def calling(self) -> float:
        """Bytes that one call of the model takes without gradients."""
        return self.model.memory_required(list(self.piece_shape))

    @property
    def piece_shape(self) -> tuple[int, ...]:
        """As the model is given it."""
        return self._host_shape(*self.cut.largest(self.shape[0], *self.shape[2:]))

    def load(self, beside: Iterable[comfy.model_patcher.ModelPatcher] = (), through_vae: bool = False) -> None:
        """Asks the host for the memory that `solving` takes.

        beside: what must stay loaded, such as ControlNets where sampling has begun. through_vae: with gradients through
        the VAE, also of a solver that takes none through the model.
        """
        need = (CHECKPOINTED_MODEL_GRAPH if self.gradients else 1) * self.calling
        patchers = [self.model, *beside]
        if self.vae is not None:
            through_vae = through_vae or self.gradients
            if through_vae:
                self.vae.keep_weights()
            patchers.append(self.vae.patcher)
            need += self.vae.memory(self.shape[0], through_vae)
        comfy.model_management.load_models_gpu(patchers, memory_required=need)

    def asking(self, guider: comfy.samplers.CFGGuider) -> None:
        """Has the host ask for a piece's memory, where it would ask for that of the whole."""

        def prepare(ask: Callable, model, shape, *more, **options):
            return ask(model, self.piece_shape, *more, **options)

        guider.model_options = comfy.model_patcher.create_model_options_clone(guider.model_options)
        add_wrapper(WrappersMP.PREPARE_SAMPLING, prepare, guider.model_options, is_model_options=True)

    @contextmanager
    def solving(self, guider: comfy.samplers.CFGGuider) -> Iterator[None]:
        """Out of inference mode, with the model (where `gradients`) fit for backward passes, and the VAE with it; else
        the VAE from its first gradient on.

        Blocks are checkpointed where the free memory asks for it. What takes no gradients is loaded.
        """
        free = self._free_memory()
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            if self.vae is not None:
                stack.enter_context(kernels_with_backward())  # the model's own should not change on the way
                stack.enter_context(self.vae.before_gradients(partial(self._differentiate_vae, stack, guider)))
            if self.gradients:
                if self.vae is not None:
                    self.vae.prepare()
                decoder = None if self.vae is None else self.vae.network  # loaded with the model, and differentiable
                networks = guider.inner_model, *(one for one in attached_modules(guider) if one is not decoder)
                stack.enter_context(differentiable(*networks))
                guider.conds = ordinary_conditioning(guider.conds)
                short = free < MODEL_GRAPH * self.calling
                if short or not isinstance(guider.inner_model.diffusion_model, NEVER_OVERWRITES):
                    stack.enter_context(differentiable_blocks(*networks, short_of_memory=short))
            yield

    def _differentiate_vae(self, stack: ExitStack, guider: comfy.samplers.CFGGuider) -> None:
        """Makes the VAE fit for backward passes until the stack is left."""
        vae = self.vae
        assert vae is not None
        if not (self.gradients or vae.has_room):
            with torch.inference_mode():  # as the host loads
                self.load(guider.loaded_models, through_vae=True)
            vae.has_room = True
        stack.enter_context(differentiable(vae.network, what="VAE"))
        if vae.is_short(self.shape[0], self._free_memory()):
            stack.enter_context(differentiable_blocks(vae.network, short_of_memory=True))

    def _free_memory(self) -> int:
        return 0 if self.frugal else comfy.model_management.get_free_memory(self.model.load_device)

    def _host_shape(self, batch: int, *size: int) -> tuple[int, ...]:
        return batch, self.shape[1], *[1] * has_frame_axis(self.model.model.latent_format), *size


def run_solver(
    workload: Workload, solve: Solve[Result], seed: int, conditioning: Conditioning = Conditioning()
) -> Result:
    """Returns solve(denoise, callback), with the model on its device.

    It is called again, once, where memory did not suffice. Raises MemoryError where it does not then either.
    """

    def attempt(frugal: bool) -> Result:
        planned = workload.resident().planned(frugal)
        guider = comfy.samplers.CFGGuider(planned.model)
        conditioning.apply(guider, planned.gradients)
        planned.asking(guider)
        if planned.gradients or planned.vae is not None:
            planned.load()
        zeros = torch.zeros(planned.host_shape)
        sampling = planned.model.get_model_object("model_sampling")
        sigmas = torch.tensor([float(sampling.sigma_max), 0.0])
        sampler = _Solver(planned, solve)
        guider.sample(zeros, zeros, sampler, sigmas, disable_pbar=True, seed=seed)
        return sampler.result

    return sparing(attempt, workload.gradients)


class _Solver(comfy.samplers.Sampler, Generic[Result]):
    """What the host calls once everything is loaded. It offers noise, which is not used, and takes latents back, where
    there is more to return: that is kept in `result`."""

    result: Result

    def __init__(self, workload: Workload, solve: Solve[Result]):
        self.workload, self.solve = workload, solve

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, *_, **__) -> Tensor:
        denoise = HostDenoiser(
            model_wrap, extra_args.get("model_options", {}), extra_args.get("seed"), self.workload.cut
        )
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
