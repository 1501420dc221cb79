"""What the pack needs and what it ships: everything is declared, and has a license that goes with GPL-3.0."""

import ast
import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest
from labs.degradations import EXAMPLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).absolute().parents[1]
ROOMS = ("nodes", "host", "solvers", "operators", "linalg", "models", "estimation", "evaluation")
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "latent_preview", "server"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = set(PROJECT["dependencies"])
OPTIONAL = {name for names in PROJECT["optional-dependencies"].values() for name in names}
MODULES = {"pillow": "PIL"}  # where a package is not called as what is imported
ALLOWED = """
0BSD, Apache-2.0, Apache-2.0 WITH LLVM-exception, Apache Software License, BSD License, BSD-2-Clause, BSD-3-Clause,
BSL-1.0, CC0-1.0, MIT, MIT License, MIT-CMU, PSF-2.0, Zlib
"""
"""As the GNU project lists them among the licenses that are compatible with its own, by SPDX's names or PyPI's."""
PHOTOS = ROOT / "workflows" / "photos"
FREE = re.compile("public domain|CC0 1.0|CC BY 2.0")


def third_party(node: ast.AST, above: bool = True):
    """(module, whether the file itself needs it, and not only a function) of each import outside pack and Python."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING":
            continue
        names = [alias.name for alias in inner.names] if isinstance(inner, ast.Import) else []
        names += [inner.module] if isinstance(inner, ast.ImportFrom) and not inner.level else []
        for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names:
            yield name, above
        yield from third_party(inner, above and not isinstance(inner, ast.FunctionDef))


def test_what_is_imported_is_declared_and_nothing_else():
    found = {
        entry
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for entry in third_party(ast.parse(file.read_text(encoding="utf-8")))
        if entry[0] not in COMFYUI
    }
    modules = {MODULES.get(name, name) for name in NEEDED}
    assert {name for name, above in found if above} == modules
    assert {name for name, above in found if not above} - modules <= OPTIONAL


@pytest.mark.parametrize("name", sorted(NEEDED | OPTIONAL))
def test_dependencies_have_an_allowed_license(name):
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        assert name in OPTIONAL, f"{name} is not installed"
        pytest.skip(f"{name} is optional, and not installed")
    if about["License-Expression"]:
        stated = set(about["License-Expression"].split(" AND "))
    else:
        stated = {text.split(" :: ")[-1] for text in about.get_all("Classifier") if text.startswith("License ::")}
    assert stated and stated <= {text.strip() for text in ALLOWED.split(",")}


def tables(file: Path) -> list[list[list[str]]]:
    """Of a page: cells by row, without the heads."""
    found = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()] for rows in found]


def test_every_photo_is_free():
    """That each is credited is tested with Example Photo."""
    licenses = {row[0]: row[3] for row in tables(PHOTOS / "LICENSES.md")[0]}
    assert licenses.keys() == {f"`{file.name}`" for file in PHOTOS.glob("*.png")}
    assert all(FREE.search(text) for text in licenses.values())


def test_every_picture_names_its_photo():
    made = {row[0]: [cell.split(", ") if cell else [] for cell in row[1:]] for row in tables(PHOTOS / "LICENSES.md")[1]}
    named = {name for names, _ in made.values() for name in names}
    thumbnails = {name: {photo for photo, (names, _) in made.items() if name in names} for name in named}
    pages = {name: photo for photo, (_, names) in made.items() for name in names}
    assert thumbnails.keys() == {file.stem for file in (ROOT / "workflows").glob("*.jpg")}
    assert thumbnails.keys() >= {file.stem for file in (ROOT / "tests" / "host" / "golden").glob("*.png")}
    for name, photos in thumbnails.items():
        nodes = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))["nodes"]
        shown = {node["widgets_values"][0] for node in nodes if node["type"] == "MAPRPS_ExamplePhoto"}
        assert shown == photos
    pictures = {file.stem for file in (ROOT / "web" / "docs" / "images").iterdir()}
    assert pages.keys() == pictures - {"ExamplePhoto"}  # that one is of all photos
    for example in EXAMPLES:
        if example.picture:
            assert pages[example.picture.page] == example.picture.photo


def test_pictures_of_the_documents_have_a_line():
    text = (PHOTOS / "LICENSES.md").read_text(encoding="utf-8")
    assert all(f"`docs/images/{file.name}`" in text for file in (ROOT / "docs" / "images").iterdir())


def test_weights_state_their_license():
    """In a paragraph of the model card in which they stand, or after their name in its chapter's head."""
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    chapters = ["# " + text for text in re.split(r"^# ", card, flags=re.MULTILINE)[1:]]
    for file in [*(ROOT / "models").glob("*.safetensors"), *(ROOT / "models").glob("*.png")]:
        (chapter,) = [text for text in chapters if f"`{file.name}`" in text]
        assert "offered under" in chapter and "GPL-3.0" in chapter
    assert PROJECT["license"] == {"file": "LICENSE"}
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_nothing_else_is_shipped_that_is_no_text():
    """A picture, or weights, anywhere else would be without the lines above."""
    known = ("workflows", "workflows/photos", "docs/images", "web/docs/images", "models", "tests/host/golden")
    shipped = [ROOT / name for name in (*ROOMS, "launch", "locales", "tests", "tools", "web", "workflows", "docs")]
    kinds = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".safetensors", ".pt", ".pth", ".npy", ".npz", ".ttf")
    files = [file for folder in shipped for file in folder.rglob("*") if file.suffix in kinds]
    assert {file.parent for file in files} == {ROOT / name for name in known}
