"""Every language has words for all that the page shows of our nodes, and for nothing else; and the page shows them."""

import json
from pathlib import Path

import pytest

from maprps.tools.page import Page, find_browser

LOCALES = Path(__file__).absolute().parents[2] / "locales"
LANGUAGES = sorted(folder.name for folder in LOCALES.iterdir())


def read(language, file):
    return json.loads((LOCALES / language / file).read_text(encoding="utf-8"))


@pytest.fixture
def nodes(server):
    """What the server tells the page of our nodes, by node id."""
    every = server.object_info().items()
    nodes = {i: info for i, info in every if info["python_module"].endswith("ComfyUI-MAP-RPS")}
    assert nodes
    return nodes


def inputs_of(info):
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


def shown(nodes):
    """The places of the translations of all that the page shows of the nodes, in order: NODE.inputs.NAME.tooltip."""
    for node_id, info in nodes.items():
        yield from (f"{node_id}.display_name", f"{node_id}.description")
        for name, spec in inputs_of(info).items():
            yield f"{node_id}.inputs.{name}.name"
            if "tooltip" in spec[1]:
                yield f"{node_id}.inputs.{name}.tooltip"
        for i, tooltip in enumerate(info["output_tooltips"]):
            yield f"{node_id}.outputs.{i}.name"
            if tooltip is not None:
                yield f"{node_id}.outputs.{i}.tooltip"


def words(tree, place=""):
    """The places of a translation, as in `shown`, and what stands there."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from words(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", value


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_no_gaps_and_nothing_stale(nodes, language):
    expected, translated = list(shown(nodes)), dict(words(read(language, "nodeDefs.json")))
    assert [place for place in expected if not translated.get(place)] == [], "missing"
    assert [place for place in translated if place not in expected] == [], "stale"
    assert list(translated) == expected, "in another order than the nodes"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_names_the_folders_of_the_menu_and_our_type(nodes, language):
    main = read(language, "main.json")
    folders = {part for info in nodes.values() for part in info["category"].split("/")} - {"MAP-RPS"}
    assert {key: set(main[key]) for key in main} == {"nodeCategories": folders, "dataTypes": {"DEGRADATION"}}
    assert all(main["nodeCategories"].values()) and all(main["dataTypes"].values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_names_options_as_they_stand_on_the_page(nodes, language):
    """The page does not translate them. Variants of one, as in "paper, denoising", may share its name."""
    translated = dict(words(read(language, "nodeDefs.json")))
    for node_id, info in nodes.items():
        for name, (kind, spec) in inputs_of(info).items():
            options = kind if isinstance(kind, list) else spec.get("options", ())
            named = [option for option in options if option in spec.get("tooltip", "")]
            tooltip = translated.get(f"{node_id}.inputs.{name}.tooltip", "")
            assert [option for option in named if option.split(",")[0] not in tooltip] == [], (node_id, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_no_sign_that_the_page_reads_as_a_command(language):
    """Its messages know {name} for a value, @ for another message, and | between singular and plural (vue-i18n)."""
    for file in ("nodeDefs.json", "main.json"):
        assert [place for place, text in words(read(language, file)) if set(text) & set("{}@|")] == []


@pytest.fixture
def french_page(server):
    server.post("/settings", {"Comfy.Locale": "fr"})
    try:
        with Page(server.url) as page:
            yield page
    finally:
        server.post("/settings", {"Comfy.Locale": "en"})


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome here")
def test_the_page_shows_them(french_page):
    """On newer hosts by itself; on those that lose them, by web/translations.js."""
    expected, main = read("fr", "nodeDefs.json")["MAPRPS_GaussianBlur"], read("fr", "main.json")
    node = french_page.evaluate("""(() => {
        const type = LiteGraph.registered_node_types.MAPRPS_GaussianBlur;
        const node = LiteGraph.createNode("MAPRPS_GaussianBlur");
        return {
            title: node.title,
            description: type.nodeData.description,
            category: type.category,
            inputs: node.inputs.map((input) => input.localized_name),
            widgets: node.widgets.map((widget) => widget.label),
            outputs: node.outputs.map((output) => output.localized_name),
        };
    })()""")
    inputs = [entry["name"] for entry in expected["inputs"].values()]
    assert node == {
        "title": expected["display_name"],
        "description": expected["description"],
        "category": f"MAP-RPS/{main['nodeCategories']['degradations']}",
        "inputs": inputs,
        "widgets": inputs,
        "outputs": [main["dataTypes"]["DEGRADATION"], expected["outputs"]["1"]["name"]],
    }
