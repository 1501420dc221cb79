"""How much of a folder is done, in one line, with the time that is left."""

import sys
import time

from .terminal import say, seconds, status


class Countdown:
    """total: photos to be done."""

    def __init__(self, total: int):
        self.total, self.done = total, 0
        self._at: dict[str, str] = {}  # server -> what it is at
        self._started: float | None = None
        self._last = 0.0  # when the last photo was done

    def at_work(self, server: str, text: str) -> None:
        """A server is at something; where the output is a terminal, that is seen."""
        if self._started is None:  # not before a server is up
            self._started = time.monotonic()
        self._at[server] = text
        status(f"  {self._so_far()}  {', '.join(self._at.values())}")

    def step(self, server: str, text: str) -> None:
        """A server has one more done, or failed at it. text: what to say of it where the output is no terminal."""
        self.done, self._last = self.done + 1, time.monotonic()
        self._at.pop(server, None)
        if not sys.stdout.isatty():
            say(f"  {self._so_far()}  {text}")

    def left(self) -> float | None:
        """Seconds to the end, if the rest takes as long as what is done; None where nothing is."""
        if not self.done or self._started is None:
            return None
        each = (self._last - self._started) / self.done
        return max(0.0, each * (self.total - self.done) - (time.monotonic() - self._last))

    def _so_far(self) -> str:
        left = self.left()
        return f"{self.done}/{self.total}" + (f"  {seconds(left)} left" if left is not None else "")
