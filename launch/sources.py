"""The servers that photos are restored at: those that run already, and one of our own."""

import shutil
import time
from collections.abc import Callable, Collection

from .client import TROUBLE, Client
from .own_server import nodes_of
from .restore_photo import UPLOADS
from .server import Server
from .share_work import cancel
from .terminal import Problem

_PATIENCE = 30.0  # seconds that a lost server has to come back


class RunningServer:
    """A ComfyUI that somebody runs at `url`, with this pack in it. nodes: those that it has to have."""

    def __init__(self, url: str, nodes: Collection[str], timeout: float = 60.0):
        self.name, self._nodes = url, nodes
        self._client = Client(url, timeout=timeout)
        self._known = False

    def connect(self, check: Callable[[], None]) -> Client:
        """As share_work.Source has it. A server that hung may still be at what it was given: that is taken back."""
        deadline = time.monotonic() + (_PATIENCE if self._known else 0.0)
        while not self._answers():
            check()
            if time.monotonic() > deadline:
                raise Problem("it does not answer" + ("" if self._known else "; is ComfyUI running there?"))
            time.sleep(0.5)
        if self._known:
            cancel(self._client)
            return self._client
        try:
            known = self._client.object_info()
        except TROUBLE:
            raise Problem("it does not answer any more") from None
        if missing := set(self._nodes) - set(known):
            raise Problem(f"it has no {min(missing)}; install this pack there, or a newer version of it")
        self._known = True
        return self._client

    def _answers(self) -> bool:
        try:
            Client(self.name, timeout=5.0).get("/system_stats")
        except (*TROUBLE, ValueError):  # ValueError: an answer that is not ComfyUI's
            return False
        return True


class OwnServer:
    """A server of our own, started when it is needed, and again where it has died."""

    name = "the server"

    def __init__(self, server: Server):
        self._server = server
        self.shown = server.workspace / "temp"

    def connect(self, check: Callable[[], None]) -> Client:
        """As share_work.Source has it."""
        self._server.stop()  # it may hang
        client = self._server.start(check=check)
        nodes_of(client, self._server)
        return client

    def stop(self) -> None:
        """Ends the server and removes the photos that it was given."""
        self._server.stop()
        shutil.rmtree(self._server.workspace / "input" / UPLOADS, ignore_errors=True)
