"""The host's progress bar and cancel button, for work that runs no model."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils


def progress_bar() -> Callable[[int, int], None]:
    """report(step, total): moves the running node's bar; raises where the person has cancelled."""
    bar = comfy.utils.ProgressBar(1)

    def report(step: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(step, total)

    return report
