"""The code keeps to the style and the types set in pyproject.toml, which holds what ComfyUI's registry checks."""

import sys
from pathlib import Path

import pytest

from maprps.launch.check import LINTERS, lint


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "mypy" else ()) for name in LINTERS]
)
def test_nothing_to_complain_of(name):
    pytest.importorskip(name.split()[0])
    done = lint(name, Path(sys.executable), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
