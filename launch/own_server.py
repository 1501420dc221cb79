"""A server of our own with this pack in it."""

from pathlib import Path

from . import environment
from .client import Client
from .environment import PRIVATE, REPOSITORY, Setup
from .server import Server
from .terminal import Problem, say

PACK = "ComfyUI-MAP-RPS"


def own_server(port: int, output: Path | None = None) -> tuple[Server, Setup]:
    """The server, not yet started, and what it runs on, which is made where it is missing. output: where it saves."""
    setup = environment.prepare()
    accelerator = environment.has_accelerator(setup.python)
    if not accelerator:
        say("PyTorch finds no GPU here: running on the CPU.")
    server = Server(
        setup.python,
        setup.comfyui,
        PRIVATE / "server",
        {PACK: REPOSITORY},
        output=output,
        models=setup.models,
        cpu=not accelerator,
        port=port,
    )
    return server, setup


def nodes_of(client: Client, server: Server) -> dict:
    """The server's /object_info. Problem, with what the log says: it could not load this pack."""
    object_info = client.object_info()
    if not any(node.startswith("MAPRPS_") for node in object_info):
        why = "\n".join(line for line in server.log_text().splitlines() if PACK in line)
        raise Problem(f"ComfyUI could not load the nodes:\n{why}\nThe whole log: {server.log}")
    return object_info
