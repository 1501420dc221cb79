"""Where the set-up finds things, and what it says when they are missing."""

import sys
from pathlib import Path

import pytest

from maprps.launch import environment
from maprps.launch.terminal import Problem, seconds


def make_comfyui(folder: Path, version="0.3.75") -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "custom_nodes").mkdir()
    (folder / "main.py").touch()
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 14, 2)])
def test_python_versions_with_a_pytorch(version):
    environment.check_python(version, "linux", "x86_64")


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 15, 0)])
def test_other_python_is_named(version):
    with pytest.raises(Problem, match=rf"{version[0]}\.{version[1]};"):
        environment.check_python(version, "linux", "x86_64")


def test_intel_mac_is_told():
    with pytest.raises(Problem, match="COMFYUI_PATH"):
        environment.check_python((3, 12, 0), "darwin", "x86_64")
    environment.check_python((3, 12, 0), "darwin", "arm64")


def test_named_comfyui_comes_first(tmp_path):
    named, around = make_comfyui(tmp_path / "named"), make_comfyui(tmp_path / "around")
    clone = around / "custom_nodes" / "clone"
    assert environment.find_comfyui(str(named), clone) == named
    assert environment.find_comfyui(None, clone) == around
    assert environment.find_comfyui("", clone) == around
    assert environment.find_comfyui(None, tmp_path / "elsewhere" / "clone") is None


def test_named_folder_without_comfyui_is_a_problem(tmp_path):
    with pytest.raises(Problem, match="COMFYUI_PATH"):
        environment.find_comfyui(str(tmp_path), tmp_path)


@pytest.mark.parametrize("version", ["0.3.75", "0.3.100", "0.4.0", "1.0.0"])
def test_new_enough(tmp_path, version):
    environment.check_version(make_comfyui(tmp_path, version))


@pytest.mark.parametrize("version", ["0.3.74", "0.2.99"])
def test_too_old(tmp_path, version):
    with pytest.raises(Problem, match=version):
        environment.check_version(make_comfyui(tmp_path, version))


def test_own_python_is_the_environment_beside_comfyui(tmp_path, monkeypatch):
    """A .venv that has what ComfyUI needs is taken before the running Python."""
    comfyui = make_comfyui(tmp_path)
    monkeypatch.setattr(environment, "ESSENTIALS", ["json"])
    assert environment.own_python(comfyui) == Path(sys.executable)
    python = environment.python_of(comfyui / ".venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert environment.own_python(comfyui) == python
    monkeypatch.setattr(environment, "ESSENTIALS", ["no_such_module"])
    assert environment.own_python(comfyui) is None


def test_finished_environment_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "pip", lambda *arguments: pytest.fail("pip was called"))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("x==1\n")
    python = environment.python_of(tmp_path / "venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    installs = [["-r", requirements]]
    (tmp_path / "venv" / "installed.json").write_text(str(environment.fingerprint(installs)).replace("'", '"'))
    assert environment.private_python(tmp_path / "venv", installs) == python


def test_changed_or_interrupted_environment_is_installed_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(environment, "pip", lambda python, arguments: calls.append(arguments))
    monkeypatch.setattr(environment, "check_space", lambda folder: None)
    monkeypatch.setattr(environment, "ESSENTIALS", ["json"])
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("x==1\n")
    python = environment.python_of(tmp_path / "venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    installs = [["-r", requirements]]
    for _ in range(2):
        environment.private_python(tmp_path / "venv", installs)
    assert len(calls) == 1
    requirements.write_text("x==2\n")
    environment.private_python(tmp_path / "venv", installs)
    assert len(calls) == 2


def test_no_space_is_said_before_anything_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2e9}))
    with pytest.raises(Problem, match=r"2\.0 GB free"):
        environment.check_space(tmp_path / "venv")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying ... NewConnectionError('[Errno -3] Temporary failure in name resolution')", "network"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "SHA-256"),
        ("ERROR: No matching distribution found for torch==2.14.1", "No matching distribution"),
    ],
)
def test_pip_failures_are_explained(tmp_path, output, said):
    text = environment.explain_pip(output, tmp_path / "install.log")
    assert said in text and "install.log" in text


def test_every_pin_is_exact():
    for file in (environment.TORCH, environment.COMFYUI, environment.TEST, environment.WHEEL):
        for line in file.read_text().splitlines():
            assert line.startswith("#") or "==" in line.split(";")[0]


@pytest.mark.parametrize(("duration", "text"), [(0.4, "0 s"), (59.4, "59 s"), (65, "1:05"), (7390, "2:03:10")])
def test_durations(duration, text):
    assert seconds(duration) == text
