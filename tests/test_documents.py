"""What README and docs/ say is there: links, commands, templates, messages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maprps.launch.environment import OLDEST_COMFYUI

ROOT = Path(__file__).absolute().parents[1]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "models").rglob("*.md"),
    *(ROOT / "workflows").rglob("*.md"),
]
ROOMS = ("nodes", "host", "models", "operators", "solvers", "linalg", "estimation", "evaluation", "launch")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FIRST_SCREEN = 15  # lines, the picture among them


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_begins_with_the_picture_and_the_two_commands():
    begin = text_of("README.md").splitlines()[:FIRST_SCREEN]
    (picture,) = (LINK.search(line)[1] for line in begin if line.startswith("!["))
    assert (ROOT / picture).stat().st_size < 300_000
    commands = [line.split("#")[0].strip() for line in begin if line.startswith("    ")]
    assert commands == ["python quickstart.py", "python quickstart.py test"]
    assert text_of(".ci/run").splitlines()[-1] == "python3 quickstart.py test"


def test_the_readme_names_the_oldest_comfyui():
    oldest = ".".join(map(str, OLDEST_COMFYUI))
    assert f"ComfyUI {oldest} or newer" in text_of("README.md") and f"| {oldest}, the oldest |" in text_of("README.md")


def test_every_template_is_named_beside_its_task():
    settings = text_of("docs/settings.md")
    assert [file.stem for file in (ROOT / "workflows").glob("*.json") if f"*{file.stem}*" not in settings] == []


def test_every_message_explained_is_one_that_the_code_says():
    said = [text for room in ROOMS for file in (ROOT / room).rglob("*.py") for text in texts(file)]
    explained = re.findall(r"^\| `(.+?)` \|", text_of("docs/troubleshooting.md"), re.MULTILINE)
    assert explained
    unknown = [
        message
        for message in explained
        if not any(all(part.strip() in text for part in message.split("...")) for text in said)
    ]
    assert unknown == []


def texts(file: Path) -> Iterator[str]:
    """Its strings; what an f-string puts in is left out."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
