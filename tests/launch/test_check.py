"""The code keeps to the style and the types set in pyproject.toml, which holds what ComfyUI's registry checks."""

import sys
from pathlib import Path

import pytest
import yaml

from maprps.launch.check import LINTERS, lint
from maprps.launch.environment import REPOSITORY, TEST


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "mypy" else ()) for name in LINTERS]
)
def test_nothing_to_complain_of(name):
    pytest.importorskip(name.split()[0])
    done = lint(name, Path(sys.executable), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pre_commit_takes_the_versions_of_the_test_tools():
    """Ruff by its version; mypy is run by quickstart.py, which installs it from launch/test.txt."""
    pins = dict(line.split("==") for line in TEST.read_text().splitlines() if line.startswith(("ruff", "mypy==")))
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    ruff, local = config["repos"]
    assert ruff["repo"].endswith("ruff-pre-commit") and ruff["rev"] == f"v{pins['ruff']}"
    (mypy,) = local["hooks"]
    assert local["repo"] == "local" and mypy["entry"].startswith("python quickstart.py test ") and pins["mypy"]
