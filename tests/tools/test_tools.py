"""Every tool says how it is run, and what it imports is there."""

import ast
import importlib
import os
import subprocess
import sys

import pytest

from maprps.tools import ROOT

FILES = sorted((ROOT / "tools").glob("[!_]*.py"))
TOOLS = [file.stem for file in FILES if '__name__ == "__main__"' in file.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", TOOLS)
def test_docstring_says_how_it_is_run(name):
    tree = ast.parse((ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8"))
    assert f"python -m tools.{name}" in ast.get_docstring(tree)


@pytest.mark.skipif("COMFYUI_PATH" not in os.environ, reason="some tools import ComfyUI's modules")
@pytest.mark.parametrize("name", TOOLS)
def test_can_be_imported(name):
    assert callable(importlib.import_module(f"maprps.tools.{name}").main)


def test_is_run_from_the_repositorys_root():
    command = [sys.executable, "-m", "tools.make_thumbnails", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "usage:" in done.stdout
