"""Work that iterates can be cancelled from outside: each round asks, and who runs the work answers by an exception."""

from __future__ import annotations

from collections.abc import Callable


def _never() -> None:
    """The answer where nobody can cancel."""


_answer: Callable[[], None] = _never


def answer_with(check: Callable[[], None]) -> None:
    """Has every round of every iteration call `check`, which raises where the work is to end."""
    global _answer
    _answer = check


def ask() -> None:
    """Returns where the work is to go on."""
    _answer()
