"""Every shipped workflow in ComfyUI's real page: it opens with no missing node and none over another, and our converter
agrees with it."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from maprps.launch.workflow_to_prompt import missing_nodes, to_prompt
from maprps.tools.page import Page, find_browser

ROOT = Path(__file__).absolute().parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium or Chrome: apt install chromium, or set CHROMIUM to one"
)


@pytest.fixture(scope="module")
def page(running_server):
    with Page(running_server.url) as page:
        yield page


def declared(prompt, object_info):
    """The prompt without what the page alone knows, such as the text a Preview node shows."""
    for node in prompt.values():
        specs = object_info[node["class_type"]]["input"]
        names = {**specs.get("required", {}), **specs.get("optional", {})}
        node["inputs"] = {name: value for name, value in node["inputs"].items() if name in names}
    return prompt


def checkpoints(workflow):
    """The model files that a workflow needs beside what comes with the pack."""
    return [model["name"] for node in workflow["nodes"] for model in node["properties"].get("models", ())]


def overlaps(boxes):
    """Pairs of titles of nodes that lie over each other. boxes: (title, x, y, width, height)."""
    return [
        (a, b)
        for (a, ax, ay, aw, ah), (b, bx, by, bw, bh) in combinations(boxes, 2)
        if ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah
    ]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_opens(page, server, file, tmp_path):
    workflow = json.loads(file.read_text(encoding="utf-8"))
    object_info = server.object_info()
    assert missing_nodes(workflow, object_info) == []
    page.load(workflow)
    assert page.missing_nodes() == []
    offered = checkpoints(workflow)  # the page offers to download what is not there, and complains of nothing else
    assert [text for text in page.texts("[role=dialog]") if not any(name in text for name in offered)] == []
    page.dismiss()
    assert overlaps(page.evaluate("app.graph.nodes.map(n => [n.title, ...n.boundingRect])")) == []
    assert declared(page.prompt(), object_info) == to_prompt(workflow, object_info)
    page.fit()
    page.screenshot(tmp_path / f"{file.stem}.png")


def test_unknown_node_is_reported(page):
    node = {"id": 1, "type": "Nowhere", "pos": [0, 0], "size": [200, 100], "mode": 0, "flags": {}, "order": 0}
    page.load({"nodes": [node], "links": [], "version": 0.4})
    assert page.missing_nodes() == ["Nowhere"]
    assert "Nowhere" in page.texts("body")[0]  # in a dialog or, on a newer page, in a panel
    page.dismiss()


def test_help_pages_are_drawn_with_nothing_left_of_their_markup(page):
    """Where a star stands between a bracket and a letter, as easily in Chinese, Markdown takes it for a star."""
    if not page.evaluate("Boolean(app.extensionManager.renderMarkdownToHtml)"):
        pytest.skip("an older page draws Markdown for nobody else")
    for file in (ROOT / "web" / "docs").rglob("*.md"):
        text = json.dumps(file.read_text(encoding="utf-8"))
        html = page.evaluate(f"app.extensionManager.renderMarkdownToHtml({text})")
        words = re.sub("<code>.*?</code>|<[^>]*>", "", html, flags=re.DOTALL)
        assert [stray for stray in ("*", "`", "](") if stray in words] == [], file.relative_to(ROOT)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_is_a_template_of_the_pack(server, file):
    """The page's Templates dialog offers it, and its link opens it."""
    assert file.stem in server.get("/workflow_templates")["ComfyUI-MAP-RPS"]
    assert server.get(f"/api/workflow_templates/ComfyUI-MAP-RPS/{file.name}")["nodes"]
