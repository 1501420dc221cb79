"""Training on photographs, shared by the tools that train what the pack ships.

Weights are averaged with the power-law profile of Karras et al. 2024 (sigma_rel = 0.05). The learning rate stays
constant until the anneal, so a run can go on for as many days as there are; the anneal is a branch that leaves the
checkpoint as it was. With several workers, that many single-threaded processes update shared weights without locks (Niu
et al. 2011, "Hogwild!"): on a CPU whose cores others use too, none waits for another.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

LEARNING_RATE = 1e-3
MUON_LEARNING_RATE = 0.02
WARMUP_STEPS = 300
EMA_EXPONENT = 16.97  # sigma_rel = 0.05


Model = TypeVar("Model", bound=nn.Module)


class Examples(Protocol):
    def batch(self) -> Tensor: ...


class Photos:
    """Random crops, flipped and turned, of every photo at every stored scale, as [-1, 1] float tensors."""

    def __init__(self, store: Path, crop: int, batch: int, seed: int):
        self.crop, self.batch_size = crop, batch
        self.pixels = np.memmap(store / "train.bin", dtype=np.uint8, mode="r")
        images = [i for i in json.loads((store / "train.json").read_text()) if min(i["height"], i["width"]) >= crop]
        self.images = images
        areas = np.array([i["height"] * i["width"] for i in images], dtype=np.float64)
        self.weights = np.sqrt(areas) / np.sqrt(areas).sum()
        self.random = np.random.default_rng(seed)

    def batch(self) -> Tensor:
        size = self.crop
        crops = np.empty((self.batch_size, size, size, 3), dtype=np.uint8)
        for n, index in enumerate(self.random.choice(len(self.images), self.batch_size, p=self.weights)):
            image = self.images[index]
            height, width, offset = image["height"], image["width"], image["offset"]
            top = self.random.integers(height - size + 1)
            left = self.random.integers(width - size + 1)
            rows = self.pixels[offset : offset + height * width * 3].reshape(height, width, 3)
            crop = rows[top : top + size, left : left + size]
            crop = np.rot90(crop, int(self.random.integers(4)))
            crops[n] = crop[:, ::-1] if self.random.random() < 0.5 else crop
        return torch.from_numpy(crops).movedim(-1, 1).float().div_(127.5).sub_(1)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalized by Newton-Schulz (Jordan et al. 2024), for convolution and linear weights."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                buffer = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                update = orthogonalize(update) * max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(p), alpha=-group["lr"])


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


Loss = Callable[[Any, Tensor, torch.Generator], Tensor]
"""loss(model, batch, generator) of a batch of training examples."""


class Training(Generic[Model]):
    """One worker's view: weights and step counter are shared between workers, optimizers are each one's own.

    examples(seed): a source of batches, by its method `batch`. plain: prefixes of the names of first and last layers,
    which AdamW trains, as it does biases; Muon trains the rest. rate: times both learning rates.
    """

    def __init__(
        self,
        run: Path,
        model: Model,
        loss: Loss,
        examples: Callable[[int], Examples],
        plain: tuple[str, ...],
        device: str,
        seen_before: int = 0,
        rate: float = 1.0,
    ):
        self.rate = rate
        self.run, self.loss, self.examples, self.plain, self.device = run, loss, examples, plain, device
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.seen_before = seen_before  # images, by the weights that the run started from
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.steps = torch.zeros((), dtype=torch.int64)
        self.optimizer_states = None
        run.mkdir(parents=True, exist_ok=True)
        path = run / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, map_location=device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer_states = state["optimizers"]
            self.steps.fill_(state["step"])
            self.seen_before = state["seen_before"]

    def share(self) -> None:
        self.model.share_memory()
        self.steps.share_memory_()

    def work(self, worker: int, workers: int, seconds: float, anneal: bool) -> None:
        """Train for `seconds`; worker 0 averages, logs and saves."""
        if workers > 1:
            torch.set_num_threads(1)
        optimizers = self._optimizers()
        seed = int(self.steps) * workers + worker
        examples, generator = self.examples(seed), torch.Generator().manual_seed(seed)
        start, first, losses = time.time(), int(self.steps), []
        last_log = last_save = start
        while (elapsed := time.time() - start) < seconds:
            rate = 1 - elapsed / seconds if anneal else min(1.0, (int(self.steps) + 1) / WARMUP_STEPS)
            for optimizer, base in zip(optimizers, (MUON_LEARNING_RATE, LEARNING_RATE), strict=True):
                optimizer.param_groups[0]["lr"] = base * rate * self.rate
            loss = self.loss(self.model, examples.batch().to(self.device), generator)
            self.model.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            self.steps += 1
            if worker:
                continue
            losses.append(loss.item())
            now, step = time.time(), int(self.steps)
            self._average(8 * (step - first) if anneal else step, workers)
            if now - last_log > 60:
                speed = (step - first) / (now - start)
                print(f"step {step} loss {np.mean(losses):.4f} steps/s {speed:.2f} rate {rate:.3f}", flush=True)
                last_log, losses = now, []
            if not anneal and (now - last_save > 300 or now - start > seconds):
                self._save(optimizers)
                last_save = now

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        named = list(self.model.named_parameters())
        hidden = [p for n, p in named if p.ndim >= 2 and not n.startswith(self.plain)]
        others = [p for n, p in named if not any(p is h for h in hidden)]
        optimizers = [
            Muon(hidden, MUON_LEARNING_RATE, weight_decay=0.01),
            torch.optim.AdamW(others, LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0),
        ]
        if self.optimizer_states:
            for optimizer, state in zip(optimizers, self.optimizer_states, strict=True):
                optimizer.load_state_dict(state)
        return optimizers

    def _average(self, step: int, workers: int) -> None:
        """Worker 0 averages once while all workers together make about `workers` steps."""
        decay = (1 - workers / max(step, workers)) ** (EMA_EXPONENT + 1)
        for mean, p in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(p.detach(), 1 - decay)

    def _save(self, optimizers: list[torch.optim.Optimizer]) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in optimizers],
            "step": int(self.steps),
            "seen_before": self.seen_before,
        }
        torch.save(state, self.run / "checkpoint.tmp")
        (self.run / "checkpoint.tmp").replace(self.run / "checkpoint.pt")


def run_workers(training: Training, workers: int, seconds: float, anneal: bool) -> None:
    """The calling process is worker 0."""
    training.share()
    context: Any = torch.multiprocessing.get_context("fork")  # Windows has none
    others = [
        context.Process(target=training.work, args=(n, workers, seconds, anneal), daemon=True)
        for n in range(1, workers)
    ]
    for process in others:
        process.start()
    training.work(0, workers, seconds, anneal)
    for process in others:
        process.join()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True, help="folder with train.bin and train.json")
    parser.add_argument("--run", type=Path, required=True, help="folder for the checkpoint and the export")
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--anneal-minutes", type=float, default=0.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1)


def train(training: Training, arguments: argparse.Namespace) -> None:
    """As the arguments of `add_arguments` say; ends with `training.average` to be exported."""
    if arguments.hours:
        run_workers(training, arguments.workers, arguments.hours * 3600, anneal=False)
    if arguments.anneal_minutes:
        run_workers(training, arguments.workers, arguments.anneal_minutes * 60, anneal=True)
