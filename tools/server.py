"""A ComfyUI server with this pack, for as long as a tool needs it; as the tests have it: on the CPU, on one thread."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maprps.launch.client import Client
from maprps.launch.server import Server

from . import NO_COMFYUI, ROOT


@contextmanager
def tests_server() -> Iterator[tuple[Client, Server]]:
    if "COMFYUI_PATH" not in os.environ:
        sys.exit(NO_COMFYUI)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as workspace:
        comfyui = Path(os.environ["COMFYUI_PATH"])
        server = Server(Path(sys.executable), comfyui, Path(workspace), {"ComfyUI-MAP-RPS": ROOT}, cpu=True)
        try:
            yield server.start(), server
        finally:
            server.stop()
