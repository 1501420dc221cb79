"""Every shipped workflow in ComfyUI's real page: it opens with no missing node and none over another, its note and its
first column in view, and our converter agrees with it."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from maprps.launch.workflow_to_prompt import missing_nodes, to_prompt

ROOT = Path(__file__).absolute().parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
PACK = "ComfyUI-MAP-RPS"
LAPTOP = (1440, 800)
"""What 1440 x 900 leave for the graph, in pixels; the page's own bars lie over its left and top."""
SIDE_BAR, TOP_BAR = 60, 100
READABLE = 0.6
"""The least zoom at which a note can be read."""
BOXES = "app.graph.nodes.map(n => [n.title, ...n.boundingRect])"
VIEW = "[app.canvas.ds.scale, ...app.canvas.ds.offset]"
DRAWN_BOXES = """[...document.querySelectorAll("[data-node-id]")].map(element => {
    const {x, y, width, height} = element.getBoundingClientRect(), {scale} = app.canvas.ds
    return [app.graph.getNodeById(+element.dataset.nodeId).title, x / scale, y / scale, width / scale, height / scale]
})"""


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


def first_column(boxes):
    """The note and what stands below it or beside it: x is at most 0."""
    return [box for box in boxes if box[1] <= 0]


def out_of_view(boxes, scale, left, top):
    """Titles of the nodes that a laptop does not show as a whole. scale, left, top: of the view that is open."""
    return [
        title
        for title, x, y, width, height in boxes
        if (x + left) * scale < SIDE_BAR
        or (y + top) * scale < TOP_BAR
        or (x + width + left) * scale > LAPTOP[0]
        or (y + height + top) * scale > LAPTOP[1]
    ]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_opens(page, server, file, tmp_path):
    workflow = json.loads(file.read_text(encoding="utf-8"))
    object_info = server.object_info()
    assert missing_nodes(workflow, object_info) == []
    page.open_template(file.stem, PACK)
    assert page.missing_nodes() == []
    offered = checkpoints(workflow)  # the page offers to download what is not there, and complains of nothing else
    assert [text for text in page.texts("[role=dialog]") if not any(name in text for name in offered)] == []
    page.dismiss()
    boxes = page.evaluate(BOXES)
    assert overlaps(boxes) == []
    assert workflow["extra"]["opens_in_saved_view"]
    seen = first_column(boxes)
    assert seen[0][0] == "About" and len(seen) > 1
    scale, *corner = page.evaluate(VIEW)
    assert scale >= READABLE and out_of_view(seen, scale, *corner) == []
    assert declared(page.prompt(), object_info) == to_prompt(workflow, object_info)
    page.fit()
    page.screenshot(tmp_path / f"{file.stem}.png")


@pytest.fixture
def page_of_elements(page):
    """The page with its other renderer, "Nodes 2.0", in which a node is an element of the document."""
    page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', true)")
    yield page
    page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_no_node_covers_another_in_the_other_renderer(page_of_elements, file):
    page = page_of_elements
    workflow = json.loads(file.read_text(encoding="utf-8"))
    page.load(workflow)
    page.dismiss()
    page.fit()
    boxes = page.evaluate(DRAWN_BOXES)
    assert len(boxes) == len(workflow["nodes"])
    assert overlaps(boxes) == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_note_and_first_column_are_in_view_in_the_other_renderer_too(page_of_elements, server, file):
    if server.get("/system_stats")["system"]["comfyui_version"].startswith("0.3."):
        pytest.skip("the older page makes the graph larger in that renderer, and keeps the view")
    page = page_of_elements
    page.open_template(file.stem, PACK)
    page.dismiss()
    titles = {title for title, *_ in first_column(page.evaluate(BOXES))}
    boxes = [box for box in page.evaluate(DRAWN_BOXES) if box[0] in titles]
    scale = page.evaluate(VIEW)[0]
    assert len(boxes) >= len(titles) > 1
    assert scale >= READABLE and out_of_view(boxes, scale, 0, 0) == []


def test_a_template_leaves_the_view_alone_once_it_is_open(page):
    page.open_template("restore-photo", PACK)
    page.evaluate("app.canvas.ds.offset = [-100, 50]")
    page.evaluate("void app.graph.add(LiteGraph.createNode('Note'))")
    page.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState()")
    page.execute("Comfy.Undo")
    page.wait("app.graph.nodes.every(node => node.type !== 'Note')")
    assert page.evaluate(VIEW)[1:] == [-100, 50]
    assert "opens_in_saved_view" not in page.evaluate("app.graph.serialize().extra")


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
    assert file.stem in server.get("/workflow_templates")[PACK]
    assert server.get(f"/api/workflow_templates/{PACK}/{file.name}")["nodes"]
