"""What a person does in ComfyUI's real page: searches for a node, paints a mask, sees a preview, cancels, compares."""

import json
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

ROOT = Path(__file__).absolute().parents[2]
RUN = "[...document.querySelectorAll('button')].find(button => button.innerText.trim() === 'Run')"
CANCEL = "document.querySelector('[aria-label=\"Cancel current run\"]')"
SAVE_MASK = "[...document.querySelectorAll('.mask-editor-dialog button')].find(b => b.innerText.trim() === 'Save')"
PAINTED_ON = "[...document.querySelectorAll('.mask-editor-dialog canvas')].at(-1)"
PATIENCE = 120  # seconds

FOUND = {  # a word that people type: what they find on a host that reads search_aliases, and on one that reads names
    "upscale": ("Restore Photo", None),
    "enlarge": ("Restore Photo", "Enlarge"),
    "restore": ("Restore Photo", "Restore Photo"),
    "old photo": ("Restore Photo", None),
    "sharpen": ("Restore Photo", None),
    "unblur": ("Restore Photo", "Motion Blur"),
    "scratch": ("Restore Photo", "Remove scratches"),
    "denoise": ("Restore Photo", "Denoising"),
    "JPEG artifacts": ("Restore Photo", None),
    "super-resolution": ("Restore Photo", "Super-Resolution"),
    "inpaint": ("Inpainting", "Inpainting"),
    "DPS": ("Re-noised Posterior Sampling", None),
    "inverse problem": ("MAP Estimation", None),
}


def template(name, **changed):
    """A shipped workflow with other values of widgets. changed: type of node without MAPRPS_ -> values by place."""
    workflow = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    for node in workflow["nodes"]:
        for place, value in changed.get(node["type"].removeprefix("MAPRPS_"), {}).items():
            node["widgets_values"][place] = value
    return workflow


def replaced(workflow, old, new, values):
    """The workflow with another node, of the same first outputs, in the place of a node."""
    for node in workflow["nodes"]:
        if node["type"] == old:
            node |= {"type": new, "widgets_values": values, "inputs": [], "properties": {}}
    return workflow


class Runs:
    """What is run by the page's own button."""

    def __init__(self, page, server):
        self._page, self._server = page, server
        self._before = set()

    def start(self):
        self._before = set(self._server.get("/history"))
        self._page.click(RUN)

    def end(self):
        """What the server's history says of it, once nothing runs and the page knows that."""
        deadline = time.monotonic() + PATIENCE
        while not (new := self._server.get("/history").keys() - self._before):
            self._server.alive()
            if time.monotonic() > deadline:
                raise TimeoutError("what Run has started does not end")
            time.sleep(0.1)
        self._page.wait(f"!{CANCEL} || {CANCEL}.disabled")
        assert not any(self._server.get("/queue").values())
        (prompt_id,) = new
        return self._server.get(f"/history/{prompt_id}")[prompt_id]


@pytest.fixture
def runs(page, server):
    yield Runs(page, server)
    server.interrupt()


def picture_of(server, item):
    """RGBA in 0..255, [H, W, 4]. item: a picture as the server lists it."""
    return np.asarray(Image.open(BytesIO(server.image(item))).convert("RGBA")).astype(int)


@pytest.fixture
def search_box(page):
    """search_box(words): has them in the page's node search."""
    page.execute("Workspace.SearchBox.Toggle")
    page.wait("document.activeElement.role === 'combobox'")
    yield lambda words: page.write("document.activeElement", words)
    page.execute("Workspace.SearchBox.Toggle")


def test_search_finds_nodes_by_what_people_type(page, server, search_box, tmp_path):
    """The page of ComfyUI 0.3.75 reads names alone, of nodes and of blueprints."""
    older = "search_aliases" not in server.object_info()["MAPRPS_RestorePhoto"]
    for words, names in FOUND.items():
        if name := names[older]:
            offered = f"[...document.querySelectorAll('[role=option]')].some(o => o.innerText.startsWith('{name}'))"
            search_box("no node has this name")
            page.wait(f"!{offered}")
            search_box(words)
            page.wait(offered)
            page.screenshot(tmp_path / f"{words}.png")


@pytest.mark.slow
def test_mask_painted_in_the_page_is_filled_in_and_nothing_else(page, server, runs, tmp_path):
    """A white line over a photo, and a stroke of the mouse along it."""
    photo = Image.open(ROOT / "workflows" / "photos" / "cat.png").convert("RGB").crop((80, 60, 240, 172))
    ends = [(32, 30), (128, 78)]
    line = Image.new("L", photo.size)
    ImageDraw.Draw(line).line(ends, fill=255, width=2)
    photo.paste("white", mask=line)
    file = BytesIO()
    photo.save(file, "PNG")
    name = server.upload_image("scratched.png", file.getvalue())
    workflow = replaced(template("inpaint-photo"), "MAPRPS_ExamplePhoto", "LoadImage", [name, "image"])
    page.execute("Comfy.RefreshNodeDefinitions")  # or the page does not know of the file
    page.load(workflow)
    loader = "app.graph.nodes.find(node => node.type === 'LoadImage')"
    page.wait(f"{loader}.imgs?.length")

    page.evaluate(f"app.canvas.selectNode({loader})")
    page.execute("Comfy.MaskEditor.OpenMaskEditor")
    page.wait(f"{PAINTED_ON}?.width === {photo.width}")
    page.wait(SAVE_MASK)
    page.screenshot(tmp_path / "editor.png")
    left, top, width, height = page.box(PAINTED_ON)
    (x0, y0), (x1, y1) = ends
    stroke = [(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in np.linspace(0, 1, 25)]
    page.drag([(left + x / photo.width * width, top + y / photo.height * height) for x, y in stroke])
    page.screenshot(tmp_path / "painted.png")
    page.click(SAVE_MASK)
    page.wait(f"{loader}.widgets[0].value !== {json.dumps(name)}")
    page.wait("!document.querySelector('.mask-editor-dialog')")

    runs.start()
    entry = runs.end()
    page.evaluate("app.canvas.deselectAll()")
    page.fit()
    page.screenshot(tmp_path / "filled.png")
    saved = page.evaluate(f"{loader}.widgets[0].value").removesuffix(" [input]")
    folder, _, file_name = saved.rpartition("/")
    given = picture_of(server, {"filename": file_name, "subfolder": folder, "type": "input"})
    assert (given[..., :3] == np.asarray(photo)).all()
    painted = binary_dilation(given[..., 3] < 128)  # by the cross of 3 x 3 pixels, as Grow Mask does by one
    scratched = np.asarray(line) > 0
    assert painted[scratched].all() and not painted[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    shown = [item for output in entry["outputs"].values() for item in output.get("images", ())]
    results = [item for item in shown if item["filename"].startswith(("2_filled", "3_others"))]
    assert len(results) == 3
    for item in results:
        changed = (picture_of(server, item)[..., :3] != np.asarray(photo)).any(axis=-1)
        assert changed[scratched].all() and not changed[~painted].any()


@pytest.mark.slow
def test_preview_is_seen_and_cancel_leaves_the_page_ready(page, runs, tmp_path):
    photo = ("MAPRPS_ExamplePhoto", "MAPRPS_TEST_SmallPhoto", ["dahlia"])
    renoise, sampler = 1, 4
    thousand_steps = {renoise: 1.0, sampler: "every step (paper)"}
    page.load(replaced(template("denoise-photo", RenoisedPosteriorSampling=thousand_steps), *photo))
    runs.start()
    shown = "app.graph.nodes.find(node => node.type === 'MAPRPS_RenoisedPosteriorSampling').imgs"
    page.wait(f"{shown}?.some(picture => picture.src.startsWith('blob:'))")
    page.fit()
    page.screenshot(tmp_path / "preview.png")
    page.click(CANCEL)
    status = runs.end()["status"]
    page.screenshot(tmp_path / "cancelled.png")
    assert status["messages"][-1][0] == "execution_interrupted"
    assert status["messages"][-1][1]["node_type"] == "MAPRPS_RenoisedPosteriorSampling"
    assert page.texts("[role=dialog]") == []

    page.load(replaced(template("denoise-photo"), *photo))
    runs.start()
    assert runs.end()["status"]["status_str"] == "success"
    page.screenshot(tmp_path / "next.png")


@pytest.fixture(params=[False, True], ids=["canvas", "elements"])
def either_renderer(page, request):
    setting = "app.extensionManager.setting.set('Comfy.VueNodes.Enabled', %s)"
    page.evaluate(setting % str(request.param).lower())
    yield page
    page.evaluate(setting % "false")


@pytest.mark.slow
def test_before_and_after_are_compared_on_the_node(either_renderer, server, runs, tmp_path, request):
    """By mouse and by keys; and nothing of it is saved or sent."""
    page = either_renderer
    seed = 100 + request.node.callspec.params["either_renderer"]  # another photo, or the result is there already
    workflow = template("restore-photo", ApplyDegradation={1: seed})
    replaced(workflow, "MAPRPS_ExamplePhoto", "MAPRPS_TEST_SmallPhoto", ["coffee_holes"])
    page.load(workflow)
    node = "app.graph.nodes.find(node => node.type === 'MAPRPS_RestorePhoto')"
    values = [saved["widgets_values"] for saved in workflow["nodes"] if saved["type"] == "MAPRPS_RestorePhoto"]
    shown = "document.querySelector('.map-rps-compare:not([hidden])')"
    assert page.evaluate(shown) is None
    runs.start()
    entry = runs.end()
    page.wait(f"[...{shown}.querySelectorAll('img')].every(image => image.naturalWidth)")
    page.screenshot(tmp_path / "compared.png")

    node_id = str(page.evaluate(f"{node}.id"))
    output = entry["outputs"][node_id]
    after, before = page.evaluate(f"[...{shown}.querySelectorAll('img')].map(image => image.src)")
    assert output["before"][0]["filename"] in before and output["after"][0]["filename"] in after
    preview = "$$canvas-image-preview"  # the live one: it is gone
    page.wait(f"!{node}.imgs && {node}.widgets.every(widget => widget.name !== '{preview}')")
    live = "[...document.querySelectorAll('[data-node-id] img')].filter(image => image.src.startsWith('blob:'))"
    assert page.evaluate(f"{live}.every(image => !image.getClientRects().length)")

    slider = f"{shown}.querySelector('input')"
    x, y, width, height = page.box(slider)
    page.drag([(x + part * width, y + height / 2) for part in (0.5, 0.4, 0.2)])
    reached = float(page.evaluate(f"{slider}.value"))
    assert reached == pytest.approx(20, abs=4)  # less half of the knob's width
    page.press("ArrowRight", 39)
    assert float(page.evaluate(f"{slider}.value")) == reached + 1
    line = page.box(f"{shown}.querySelector('i')")
    assert line[0] + line[2] / 2 == pytest.approx(x + (reached + 1) / 100 * width, abs=2)

    assert [page.evaluate(f"{node}.serialize().widgets_values")] == values
    assert "compare" not in page.prompt()[node_id]["inputs"]
    page.execute("Comfy.NewBlankWorkflow")
    page.wait(f"!app.graph.nodes.length && !{shown}")
    page.execute("Workspace.PreviousOpenedWorkflow")
    page.wait(f"{shown}?.querySelector('img').naturalWidth")
    runs.start()  # cached
    runs.end()
    assert page.evaluate(f"Boolean({shown})")
