"""What keeps the code right: lint, types and tests, all run by the Python that runs ComfyUI."""

import os
import subprocess
from pathlib import Path

from . import environment
from .environment import PRIVATE, REPOSITORY
from .server import link_folder
from .terminal import say

LINTERS = {
    "ruff check": ["ruff", "check"],
    "ruff format": ["ruff", "format", "--check"],
    "mypy": ["mypy", "--config-file", str(REPOSITORY / "pyproject.toml"), "--package", "maprps"],
}
PROCESSES = min(4, os.cpu_count() or 1)


def check(arguments: list[str]) -> int:
    """Lint, types and the fast tests, the later ones also where one fails; the arguments go to pytest.

    Returns the exit status.
    """
    python, variables = _prepare()
    del variables["COMFYUI_PATH"]  # the tests that drive a ComfyUI are left out without it
    failed = []
    for name in LINTERS:
        say(f"{name}:")
        if lint(name, python, env=variables).returncode:
            failed.append(name)
    say("the fast tests:")
    if _pytest(python, variables, ["-q", "-m", "not slow", "-n", str(PROCESSES), *arguments]):
        failed.append("tests")
    say(f"Failed: {', '.join(failed)}." if failed else "All is well.")
    return int(bool(failed))


def test(arguments: list[str]) -> int:
    """Runs pytest with the arguments. Returns its exit status."""
    return _pytest(*_prepare(), arguments)


def lint(name: str, python: Path, **options) -> subprocess.CompletedProcess:
    """Runs one of LINTERS by the given Python; options: those of subprocess.run."""
    folder = _importable() if name == "mypy" else REPOSITORY
    return subprocess.run([python, "-m", *LINTERS[name]], cwd=folder, **options)


def _importable() -> Path:
    """A folder in which the pack is called `maprps`: the clone's own folder may have no name that Python can import."""
    folder = PRIVATE / "types"
    folder.mkdir(parents=True, exist_ok=True)
    link_folder(folder / "maprps", REPOSITORY)
    return folder


def _prepare() -> tuple[Path, dict[str, str]]:
    """The Python that runs ComfyUI, and the environment variables with which it finds ComfyUI and the test tools."""
    setup = environment.prepare()
    tools = environment.test_tools(setup.python)
    return setup.python, os.environ | {"COMFYUI_PATH": str(setup.comfyui), "PYTHONPATH": str(tools)}


def _pytest(python: Path, variables: dict[str, str], arguments: list[str]) -> int:
    # Not `-m pytest`, which puts the current folder on the path: its `nodes` would hide ComfyUI's.
    start = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    return subprocess.run([python, "-c", start, *arguments], cwd=REPOSITORY, env=variables).returncode
