"""What a running node shows while it works: the host's progress bar and cancel button, and a line of text."""

from __future__ import annotations

import time
from collections.abc import Callable

import comfy.model_management
import comfy.utils
from comfy_api.latest import io
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ..solvers.problem import Callback

OFTEN = 0.5  # seconds between two texts
SHOWS_ONLY = hasattr(io.Schema, "has_intermediate_output")
"""Whether the page shows a text and no more: those of older hosts save it among the values of the node's inputs."""


def progress_bar() -> Callable[[int, int], None]:
    """report(step, total), for work that runs no model: moves the running node's bar; raises where the person has
    cancelled."""
    bar = comfy.utils.ProgressBar(1)

    def report(step: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(step, total)

    return report


def with_text(stage: str, report: Callback) -> Callback:
    """report, after which the running node says how far the stage is and how long the rest takes, as its steps went.

    Its first step may be a later one of longer work.
    """
    began, first, said = time.monotonic(), 0, 0.0

    def told(step: int, total: int, estimate: Tensor) -> None:
        nonlocal first, said
        report(step, total, estimate)
        first, now = first or step, time.monotonic()
        taken = step - first + 1
        if step == total:
            say(f"{stage}: {taken} {'step' if taken == 1 else 'steps'}, {duration(now - began)}")
        elif now - said >= OFTEN:
            said = now
            left = (now - began) / taken * (total - step)
            say(f"{stage}: step {step} of {total}, {duration(left)} left")

    return told


def say(text: str) -> None:
    """On the running node, in the page that asked for it, where the host's page can."""
    context = get_executing_context()
    if context is None or not SHOWS_ONLY:  # None where no server runs the node
        return
    from server import PromptServer

    server = PromptServer.instance
    if server.client_id is not None:
        server.send_progress_text(text, context.node_id, server.client_id)


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
