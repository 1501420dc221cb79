"""A real ComfyUI for the tests: in this process (import comfy) and as a server (the `server` fixture).

COMFYUI_PATH names it; `python quickstart.py test` sets it. Without it these tests are left out.
"""

import os
import sys
from pathlib import Path

import pytest
import torch

from maprps.launch.client import Client
from maprps.launch.server import Server
from maprps.tools.page import Page, find_browser

ROOT = Path(__file__).absolute().parents[2]
COMFYUI = os.environ.get("COMFYUI_PATH")

if COMFYUI is None:
    collect_ignore_glob = ["*"]
else:
    # Before anything imports comfy: it reads its options once, and takes none from pytest's command line.
    sys.path.insert(0, COMFYUI)
    import comfy.cli_args

    comfy.cli_args.args.cpu = True


def pytest_terminal_summary(terminalreporter):
    if COMFYUI is None:
        terminalreporter.write_line("tests/host left out: COMFYUI_PATH is not set (python quickstart.py test sets it)")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def running_server(tmp_path_factory):
    """One server for the whole session, with this pack and the test packs of tests/host/custom_nodes."""
    test_packs = Path(__file__).parent / "custom_nodes"
    packs = {folder.name: folder for folder in test_packs.iterdir() if (folder / "__init__.py").exists()}
    packs["ComfyUI-MAP-RPS"] = ROOT
    server = Server(Path(sys.executable), Path(COMFYUI), tmp_path_factory.mktemp("server"), packs, cpu=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running_server, request):
    """A client of the session's server: object_info(), run(prompt), submit(prompt).events(), interrupt(), ...

    What the server logs during a test is shown where the test fails.
    """
    running_server.check_alive()
    start = running_server.log.stat().st_size
    yield Client(running_server.url, running_server.check_alive)
    log = running_server.log.read_bytes()[start:].decode(errors="replace")
    request.node.add_report_section("call", "log of the ComfyUI server", log)


@pytest.fixture(scope="session")
def page(running_server):
    """That server's page, one for the whole session: a test loads the workflow that it needs."""
    if find_browser() is None:
        pytest.skip("no Chromium or Chrome: apt install chromium, or set CHROMIUM to one")
    with Page(running_server.url) as page:
        yield page


@pytest.fixture
def as_in_a_node():
    """The host runs nodes in inference mode."""
    with torch.inference_mode():
        yield


@pytest.fixture
def photos():
    """The photos that ship with the workflows, as paths."""
    return sorted((ROOT / "workflows" / "photos").glob("*.png"))


@pytest.fixture
def counts_to(server):
    """counts_to(steps, total): whether progress went from 1 to total; newer hosts leave steps out that come fast."""
    leaves_out = not server.get("/system_stats")["system"]["comfyui_version"].startswith("0.3.")

    def check(steps, total):
        if leaves_out:
            return steps == sorted(set(steps)) and steps[-1] == total
        return steps == list(range(1, total + 1))

    return check
