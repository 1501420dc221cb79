"""Imports between the rooms go one way; see docs/architecture.md."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[1]
ARROWS = {  # room -> the rooms that it may import
    "linalg": set(),
    "models": set(),
    "operators": {"linalg", "models"},
    "solvers": {"operators", "linalg", "models"},
    "host": {"solvers", "operators", "linalg", "models"},
    "evaluation": set(),
    "estimation": {"evaluation"},
    "nodes": {"host", "solvers", "operators", "models", "estimation", "evaluation"},
    "launch": set(),
}
COMFYUI = {"comfy", "comfy_api", "folder_paths", "latent_preview"}


def imports(file: Path) -> Iterator[str]:
    """What a file imports, dotted: `maprps.ROOM...` of the pack itself."""
    package = ("maprps", *file.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = [*package[: len(package) - node.level + 1]] if node.level else []
            origin += [node.module] if node.module else []
            yield from (".".join([*origin, alias.name]) for alias in node.names)


def imported(room: str) -> Iterator[tuple[Path, list[str]]]:
    """(file, names on the way to what it imports) for every import in a room."""
    for file in sorted((ROOT / room).rglob("*.py")):
        for name in imports(file):
            yield file, name.split(".")


def test_every_room_has_its_arrows():
    assert {file.parent.name for file in ROOT.glob("*/__init__.py")} == {*ARROWS, "tools"}


@pytest.mark.parametrize("room", ARROWS)
def test_imports_go_one_way(room):
    wrong = [
        f"{file.relative_to(ROOT)} imports {'.'.join(names)}"
        for file, names in imported(room)
        if names[0] == "maprps" and names[1] not in {room, *ARROWS[room]}
    ]
    assert not wrong


@pytest.mark.parametrize("room", [room for room in ARROWS if room not in ("host", "nodes")])
def test_comfyui_stays_upstairs(room):
    wrong = [f"{file.relative_to(ROOT)} imports {names[0]}" for file, names in imported(room) if names[0] in COMFYUI]
    assert not wrong


def test_the_pack_itself_imports_its_nodes_alone():
    assert {name.split(".")[1] for name in imports(ROOT / "__init__.py")} == {"nodes"}


def test_launch_needs_the_standard_library_alone():
    """So that any Python can set everything up; what reads pictures runs in one that has Pillow."""
    reads_pictures = {"photo.py", "pictures.py"}
    others = {names[0] for file, names in imported("launch") if file.name not in reads_pictures} - {"maprps"}
    assert others <= sys.stdlib_module_names
