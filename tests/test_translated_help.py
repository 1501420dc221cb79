"""Translated help pages, web/docs/NODE/LANGUAGE.md: each says what the English one says, in the words of the nodes.

The page of a host asks for NODE/LANGUAGE.md first, then for NODE.md; pictures are found from web/docs for both.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[1]
DOCS = ROOT / "web" / "docs"
ENGLISH = {page.stem: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
PAGES = sorted(DOCS.glob("*/*.md"))
LANGUAGES = sorted({page.stem for page in PAGES})

SUFFIX = " (MAP-RPS)"
MARK = re.compile(r"#+ |\s*- |\*\*|\|")
PICTURE = re.compile(r"!\[[^]]+\]\(([^)]+)\)")
LINK = re.compile(r"\]\(([^)]+)\)")
CODE = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"\d*\.?\d+")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}, {page.stem}")


def words(language):
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def both(page):
    return ENGLISH[page.parent.name], page.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_has_a_page_in_a_language_that_has_any(language):
    assert {page.parent.name for page in PAGES if page.stem == language} == ENGLISH.keys()


def outline(text):
    """Headings, list items and bold paragraphs by their marks, and rows of tables by the number of their cells."""
    for line in text.splitlines():
        if mark := MARK.match(line):
            yield line.count("|") if mark[0] == "|" else mark[0]


@each_page
def test_page_has_the_headings_lists_tables_and_links_of_the_english_one(page):
    english, translated = both(page)
    assert list(outline(translated)) == list(outline(english))
    assert LINK.findall(translated) == LINK.findall(english)


@each_page
def test_page_shows_pictures_that_exist(page):
    assert [picture for picture in PICTURE.findall(both(page)[1]) if not (DOCS / picture).is_file()] == []


@each_page
def test_page_has_the_numbers_and_the_code_of_the_english_one(page):
    def numbers(text):
        return Counter(float(number) for number in NUMBER.findall(text.replace("..", " to ")))

    english, translated = both(page)
    assert numbers(translated) == numbers(english)
    own, theirs = set(CODE.findall(translated)), set(CODE.findall(english))
    inputs = {name for entry in words(page.stem).values() for name in entry.get("inputs", {})}
    assert theirs <= own <= theirs | inputs


@each_page
def test_page_calls_node_inputs_and_outputs_what_the_node_calls_them(page):
    text, named = both(page)[1], words(page.stem)
    own = named[page.parent.name]
    assert text.splitlines()[0] == f"# {own['display_name'].removesuffix(SUFFIX)}"
    for name, entry in own.get("inputs", {}).items():
        assert re.search(rf"`{name}` ?[（(]{re.escape(entry['name'])}[）)]", text), name


@each_page
def test_page_names_the_nodes_that_the_english_one_names(page):
    english, translated = both(page)
    named = words(page.stem)
    for node, text in ENGLISH.items():
        name = text.splitlines()[0].removeprefix("# ")
        if f"*{name}*" in " ".join(english.split()):
            assert f"*{named[node]['display_name'].removesuffix(SUFFIX)}*" in translated, name
