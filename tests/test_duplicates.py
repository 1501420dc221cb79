"""What is said once is right everywhere: no two files of a room share a passage."""

import ast
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[1]
PASSAGE = 10  # lines


def code(file: Path) -> list[str]:
    """The lines of a file, stripped, without those that are blank or of an import."""
    text = file.read_text(encoding="utf-8")
    lines = dict(enumerate(map(str.strip, text.splitlines()), 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for number in range(node.lineno, node.end_lineno + 1):
                lines.pop(number, None)
    return [line for line in lines.values() if line]


def passages(file: Path) -> set[tuple[str, ...]]:
    lines = code(file)
    return {tuple(lines[i : i + PASSAGE]) for i in range(len(lines) - PASSAGE + 1)}


@pytest.mark.parametrize("room", sorted(file.parent.name for file in ROOT.glob("*/__init__.py")))
def test_no_two_files_share_ten_lines(room):
    found = {file: passages(file) for file in sorted((ROOT / room).rglob("*.py"))}
    shared = [
        f"{a.relative_to(ROOT)} and {b.relative_to(ROOT)}: {min(found[a] & found[b])[0]}"
        for a, b in combinations(found, 2)
        if found[a] & found[b]
    ]
    assert not shared
