"""What ComfyUI's registry asks of a pack: `comfy node validate` and docs.comfy.org/registry/specifications, offline.

Its security rules of ruff are among those of `ruff check`, which `python quickstart.py check` runs.
"""

import re
from pathlib import Path

import pytest
from PIL import Image

from maprps.launch.environment import OLDEST_COMFYUI

tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).absolute().parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, COMFY = CONFIG["project"], CONFIG["tool"]["comfy"]
RAW = PROJECT["urls"]["Repository"].replace("github.com", "raw.githubusercontent.com") + "/main/"
SYSTEMS = ("Microsoft", "POSIX", "MacOS", "OS Independent")
ACCELERATORS = {"NVIDIA CUDA", "AMD ROCm", "Intel Arc", "Huawei Ascend", "Apple Metal"}


def picture(key: str) -> Image.Image:
    assert COMFY[key].startswith(RAW)
    return Image.open(ROOT / COMFY[key].removeprefix(RAW))


def test_name_and_version():
    name = PROJECT["name"]
    assert len(name) < 100 and re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([-_.][A-Za-z0-9]+)*", name)
    assert "comfyui" not in name.lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"]) and f"## [{PROJECT['version']}]" in changelog()
    assert PROJECT["description"] and COMFY["PublisherId"] and COMFY["DisplayName"]


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_license_readme_and_addresses():
    assert (ROOT / PROJECT["license"]["file"]).is_file() and (ROOT / PROJECT["readme"]).is_file()
    urls = PROJECT["urls"]
    assert {"Repository", "Documentation", "Issues"} <= urls.keys()
    assert all(url.startswith(urls["Repository"]) for url in urls.values())
    assert f"git clone {urls['Repository']}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_comfyui_that_it_requires_is_the_oldest_that_the_pack_supports():
    assert COMFY["requires-comfyui"] == ">=" + ".".join(map(str, OLDEST_COMFYUI))


def test_classifiers_that_the_registry_shows():
    parts = [classifier.split(" :: ", 1) for classifier in PROJECT["classifiers"]]
    systems = [rest for kind, rest in parts if kind == "Operating System"]
    accelerators = [rest for kind, rest in parts if kind == "Environment"]
    assert systems and all(system.startswith(SYSTEMS) for system in systems)
    assert {rest.split(" :: ")[-1] for rest in accelerators} <= ACCELERATORS


def test_icon_and_banner_have_the_registrys_shapes():
    icon, banner = picture("Icon"), picture("Banner")
    assert icon.width == icon.height <= 400
    assert banner.width * 9 == banner.height * 21


def test_security_rules_are_among_those_of_check():
    assert {"S102", "S307", "E702"} <= set(CONFIG["tool"]["ruff"]["lint"]["select"])
    assert "ignore" not in CONFIG["tool"]["ruff"]["lint"]
