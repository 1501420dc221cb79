"""Hands photos to several servers, a thread for each, and takes back what is lost with a server."""

import contextlib
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .client import TROUBLE, Client
from .folder import Photo
from .terminal import Problem

_TRIES = 2  # servers that may be lost over a photo; a third would be too
_SOON = 5.0  # seconds
Tell = Callable[[str], None]


class Source(Protocol):
    """Where a server is."""

    name: str

    def connect(self, check: Callable[[], None]) -> Client:
        """A client of it, also again after it was lost: then it may wait, and calls `check` meanwhile, which may raise.

        Problem: there is no server.
        """


@dataclass(frozen=True)
class Event:
    """kind: "at work", "done", "failed", "moved" (its server was lost and another takes it); for a server alone "gone"
    (it is used no more). detail: how far, or why."""

    kind: str
    server: str
    photo: Photo | None = None
    detail: str = ""
    server_lost: bool = False


class CannotGoOn(Problem):
    """What the next photo would stumble over too."""


class ServerLost(Exception):
    """The server has died or hangs; the text says which, in a clause."""


def share(
    photos: Sequence[Photo], sources: Sequence[Source], do: Callable[[Client, Photo, Tell], None]
) -> Iterator[Event]:
    """Does every photo once, at whichever server is free, and yields what happens.

    do(client, photo, tell) does one; it calls tell(text) now and then, to say how far it is. A Problem in it is the
    photo's failure, CannotGoOn is raised here, and where it is ServerLost the photo goes back, and another server takes
    it. Photos are left over where all servers are gone. Where the caller stops listening, what still runs is cancelled.
    """
    work = _Work(photos, do)
    threads = [threading.Thread(target=work.serve, args=(source,), daemon=True) for source in sources]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) or not work.events.empty():
            try:
                event = work.events.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        work.stop()
        for thread in threads:
            thread.join()


class _Stopped(Exception):
    """Nobody needs this thread any more."""


class _Work:
    def __init__(self, photos: Sequence[Photo], do: Callable[[Client, Photo, Tell], None]):
        self.events: queue.Queue[Event | Exception] = queue.Queue()
        self._do = do
        self._waiting, self._in_hand = deque(photos), 0
        self._losses: Counter[Photo] = Counter()
        self._stopped = False
        self._changed = threading.Condition()

    def serve(self, source: Source) -> None:
        """Does photos at one server, until none is left anywhere or the server is gone."""
        try:
            client = source.connect(self._check_needed)
            while photo := self._take():
                event = self._attempt(source.name, client, photo)
                self._let_go(photo, again=event.kind == "moved")
                self.events.put(event)
                if event.server_lost:
                    client = source.connect(self._check_needed)
        except _Stopped:
            pass
        except Problem as problem:
            ends_all = isinstance(problem, CannotGoOn)
            self.events.put(problem if ends_all else Event("gone", source.name, detail=str(problem)))
        except Exception as error:  # a mistake of ours must not look like the end of the work
            self.events.put(error)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _attempt(self, server: str, client: Client, photo: Photo) -> Event:
        def tell(text: str) -> None:
            self._check()
            self.events.put(Event("at work", server, photo, text))

        server_alive = client.alive

        def alive() -> None:
            self._check()
            server_alive()

        client.alive = alive
        try:
            self._do(client, photo, tell)
        except _Stopped:
            cancel(client)
            raise
        except CannotGoOn:
            raise
        except ServerLost as lost:
            self._losses[photo] += 1
            if self._losses[photo] < _TRIES:
                return Event("moved", server, photo, str(lost), server_lost=True)
            text = f"a server was lost over it {_TRIES} times: {lost}"
            return Event("failed", server, photo, text, server_lost=True)
        except Problem as problem:
            return Event("failed", server, photo, str(problem))
        finally:
            client.alive = server_alive
        return Event("done", server, photo)

    def _take(self) -> Photo | None:
        """The next photo; waits where there is none while others may come back. None: all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._waiting or not self._in_hand)
            self._check()
            if not self._waiting:
                return None
            self._in_hand += 1
            return self._waiting.popleft()

    def _let_go(self, photo: Photo, again: bool) -> None:
        with self._changed:
            self._in_hand -= 1
            if again:
                self._waiting.appendleft(photo)
            self._changed.notify_all()

    def _check(self) -> None:
        if self._stopped:
            raise _Stopped

    def _check_needed(self) -> None:
        if self._stopped or not (self._waiting or self._in_hand):
            raise _Stopped


def cancel(client: Client) -> None:
    """Takes back what the client has submitted, as far as its server answers."""
    usual, client.timeout = client.timeout, _SOON
    with contextlib.suppress(*TROUBLE):
        client.cancel()
    client.timeout = usual
