"""What a person sees: messages, a status line that overwrites itself, a progress bar, and errors they can mend."""

import io
import os
import shutil
import sys
import time


class Problem(Exception):
    """Something the person has to mend. The text says what is wrong and how to mend it."""


def say(text: str = "") -> None:
    clear_status()
    print(text, flush=True)


_status_shown = False


def status(text: str) -> None:
    """One line that the next one replaces; silent where the output is not a terminal."""
    global _status_shown
    if not sys.stdout.isatty():
        return
    width = shutil.get_terminal_size().columns - 1
    print("\r" + text[:width].ljust(width), end="", flush=True)
    _status_shown = True


def clear_status() -> None:
    global _status_shown
    if _status_shown:
        width = shutil.get_terminal_size().columns - 1
        print("\r" + " " * width + "\r", end="", flush=True)
        _status_shown = False


class Progress:
    """A bar over the nodes of a running prompt, fed with the server's events.

    titles: node id -> title, of every node that will run.
    """

    def __init__(self, titles: dict[str, str]):
        self.titles = titles
        self.started = time.monotonic()
        self.done: set[str] = set()
        self.current: str | None = None

    def __call__(self, kind: str, data: dict) -> None:
        if kind == "executing" and data.get("node"):
            self._enter(data["node"])
        elif kind == "execution_cached":
            self.done.update(data["nodes"])
        elif kind == "progress" and data.get("node"):
            self._enter(data["node"])
            self._show(data["node"], data["value"] / max(data["max"], 1), f"{data['value']}/{data['max']}")

    def _enter(self, node: str) -> None:
        if node == self.current:
            return
        if self.current is not None:
            self.done.add(self.current)
        self.current = node
        if sys.stdout.isatty():
            self._show(node, 0.0, "")
        else:
            say(f"  {self._elapsed():>6}  {self.titles.get(node, node)}")

    def _show(self, node: str, fraction: float, steps: str) -> None:
        filled = round(24 * fraction)
        title = self.titles.get(node, node)
        count = f"[{min(len(self.done) + 1, len(self.titles))}/{len(self.titles)}]"
        status(f"  {count} {'#' * filled}{'.' * (24 - filled)} {self._elapsed():>6}  {title} {steps}")

    def _elapsed(self) -> str:
        return seconds(time.monotonic() - self.started)


def seconds(duration: float) -> str:
    """A duration as a person writes it: 8 s, 1:05, 2:03:10."""
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def use_utf8() -> None:
    """Node titles and ui texts may hold any character; a Windows console in a legacy code page must not end the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace", encoding="utf-8" if os.name == "nt" else None)
