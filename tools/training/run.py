"""A run of training: the schedule, averaged weights, and a checkpoint from which the run goes on.

On a GPU in bfloat16, compiled; on a CPU in float32, with few and small crops, which is for trying the tools only.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from .muon import Muon

MUON_RATE = 0.02
ADAM_RATE = 1e-3
WARMUP = 0.02  # of the steps
LARGEST_DECAY = 0.9995  # of the average
LOG_SECONDS = 30
SAVE_SECONDS = 60

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """steps: of the whole run. anneal_from: the part of them after which the rates fall, in a line, to 0.

    plain: prefixes of the names of first and last layers, which AdamW trains, as it does biases; Muon trains the rest.
    rate: times both learning rates. largest_gradient: the norm to which gradients are clipped.
    """

    steps: int
    anneal_from: float
    plain: tuple[str, ...]
    rate: float = 1.0
    largest_gradient: float = math.inf

    def rate_at(self, step: int) -> float:
        rising = (step + 1) / (WARMUP * self.steps)
        falling = (self.steps - step) / ((1 - self.anneal_from) * self.steps) if self.anneal_from < 1 else 1.0
        return self.rate * min(1.0, rising, falling)


class Training(Generic[Model]):
    """`model` and `average`, the mean of its weights over the latest 2000 steps or so, after `step` steps.

    checkpoint: the file that `run` keeps; where it is there, the run goes on from it.
    """

    def __init__(self, model: Model, recipe: Recipe, checkpoint: Path, device: str):
        self.recipe, self.checkpoint, self.device, self.step = recipe, checkpoint, device, 0
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        hidden = [p for name, p in named if p.ndim >= 2 and not name.startswith(recipe.plain)]
        others = [p for name, p in named if p.ndim < 2 or name.startswith(recipe.plain)]
        self.optimizers = [
            Muon(hidden, MUON_RATE),
            torch.optim.AdamW(others, ADAM_RATE, betas=(0.9, 0.99), weight_decay=0.0, fused=device == "cuda"),
        ]
        if checkpoint.exists():
            self._load()

    @property
    def finished(self) -> bool:
        return self.step >= self.recipe.steps

    def run(self, loss_of: Callable[[Any], Tensor], seconds: float = math.inf) -> None:
        """Train to the last step, or for that many seconds. loss_of(model): the loss of a batch that it draws."""
        torch.manual_seed(self.step)
        torch.backends.cudnn.benchmark = True
        network = torch.compile(self.model) if self.device == "cuda" else self.model
        first, losses = self.step, []
        start = logged = saved = time.monotonic()
        while not self.finished and time.monotonic() - start < seconds:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
                loss = loss_of(network)
            self._update(loss)
            losses.append(loss.detach())
            now = time.monotonic()
            if now - logged > LOG_SECONDS or self.finished:
                speed = (self.step - first) / (now - start)
                print(f"step {self.step} loss {torch.stack(losses).mean():.5f} steps/s {speed:.1f}", flush=True)
                logged, losses = now, []
            if now - saved > SAVE_SECONDS:
                self._save()
                saved = now
        self._save()

    def _update(self, loss: Tensor) -> None:
        rate = self.recipe.rate_at(self.step)
        self.model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.largest_gradient, foreach=True)
        for optimizer, full in zip(self.optimizers, (MUON_RATE, ADAM_RATE), strict=True):
            optimizer.param_groups[0]["lr"] = full * rate
            optimizer.step()
        self.step += 1
        decay = min(LARGEST_DECAY, self.step / (self.step + 9))
        torch._foreach_lerp_(list(self.average.parameters()), [p.detach() for p in self.model.parameters()], 1 - decay)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)

    def _save(self) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        unfinished = self.checkpoint.with_suffix(".tmp")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photographs (see collect_photos.py)")
    parser.add_argument("--out", type=Path, required=True, help="file for the weights; its checkpoint lies beside it")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these; the same command goes on")
    parser.add_argument("--anneal-from", type=float, default=0.6, help="part of the steps after which the rates fall")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=device, help="cpu: few and small crops, for a try")
