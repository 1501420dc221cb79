"""The blueprints of subgraphs/: the host lists them, and in its page each opens as one node and runs."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maprps.launch.workflow_to_prompt import to_prompt

ROOT = Path(__file__).absolute().parents[2]
FILES = {file.stem: file for file in (ROOT / "subgraphs").glob("*.json")}
PHOTO, DAMAGE, MASK = "MAPRPS_TEST_SmallPhoto", "MAPRPS_SuperResolution", 1
SOURCES = {"IMAGE": (PHOTO, 0), "MASK": (PHOTO, 1), "DEGRADATION": (DAMAGE, 0)}


def blueprint(name):
    return json.loads(FILES[name].read_text(encoding="utf-8"))


def test_the_server_lists_them(server):
    listed = server.get("/global_subgraphs")
    ours = {key: entry for key, entry in listed.items() if entry["info"]["node_pack"] == "custom_nodes.ComfyUI-MAP-RPS"}
    assert {entry["name"] for entry in ours.values()} == FILES.keys()
    assert FILES.keys() == {"Restore my photo", "Enlarge", "Remove scratches", "Degrade and measure"}
    for key, entry in ours.items():
        assert entry["source"] == "custom_node"
        assert json.loads(server.get(f"/global_subgraphs/{key}")["data"]) == blueprint(entry["name"])


@pytest.mark.parametrize("name", FILES)
def test_it_is_one_node_of_known_ones(server, name):
    """ASCII, since ComfyUI 0.3.75 reads it in the system's encoding."""
    assert FILES[name].read_bytes().isascii()
    workflow = blueprint(name)
    (node,), (inside,) = workflow["nodes"], workflow["definitions"]["subgraphs"]
    assert node["type"] == inside["id"] and node["title"] == inside["name"] == name and inside["description"]
    for side in ("inputs", "outputs"):
        assert {(slot["name"], slot["type"]) for slot in node[side]} == {
            (slot["name"], slot["type"]) for slot in inside[side]
        }
    assert {part["type"] for part in inside["nodes"]} <= server.object_info().keys()


def in_use(name):
    """The blueprint between an example photo and nodes that show what it gives; and what shows which output."""
    workflow = blueprint(name)
    (node,), links = workflow["nodes"], []
    sources = {PHOTO: 101, DAMAGE: 102}
    workflow["nodes"] += [
        {
            "id": sources[PHOTO],
            "type": PHOTO,
            "inputs": [{"name": "photo", "type": "STRING", "widget": {"name": "photo"}, "link": None}],
            "outputs": [{"name": kind, "type": kind, "links": []} for kind in ("IMAGE", "MASK", "STRING")],
            "widgets_values": ["coffee_holes"],
        },
        {
            "id": sources[DAMAGE],
            "type": DAMAGE,
            "outputs": [{"name": "DEGRADATION", "type": "DEGRADATION", "links": []}],
            "widgets_values": [2, "bicubic"],
        },
    ]
    shows = {}

    def connect(source, output, target, slot, kind):
        links.append([len(links) + 1, source["id"], output, target["id"], slot, kind])
        source["outputs"][output]["links"] = [*(source["outputs"][output]["links"] or []), len(links)]
        target["inputs"][slot]["link"] = len(links)

    by_id = {part["id"]: part for part in workflow["nodes"]}
    for slot, given in enumerate(node["inputs"]):
        if given["type"] in SOURCES and "widget" not in given:
            kind, output = SOURCES[given["type"]]
            connect(by_id[sources[kind]], output, node, slot, given["type"])
    for output, result in enumerate(node["outputs"]):
        shown_by, name = ("PreviewImage", "images") if result["type"] == "IMAGE" else ("PreviewAny", "source")
        end = {"id": 200 + output, "type": shown_by, "inputs": [{"name": name, "type": result["type"]}], "outputs": []}
        workflow["nodes"].append(end)
        connect(node, output, end, 0, result["type"])
        shows[result["name"]] = str(end["id"])
    for part in workflow["nodes"]:
        part.update(mode=0, flags={}, order=0, properties={}, pos=[part["id"] * 10, 0], size=[300, 200])
    workflow |= {"links": links, "last_node_id": 300, "last_link_id": len(links)}
    return workflow, shows


@pytest.fixture
def results(page, server):
    """results(name): {output: picture in 0..255 or text} of a blueprint, run as the page sends it."""

    def run(name):
        workflow, shows = in_use(name)
        page.load(workflow)
        page.dismiss()
        assert page.texts("[role=dialog]") == []
        outputs = server.run(page.prompt())
        found = {}
        for output, node_id in shows.items():
            if "images" in outputs[node_id]:
                (item,) = outputs[node_id]["images"]
                found[output] = np.asarray(Image.open(BytesIO(server.image(item))).convert("RGB"), dtype=float)
            else:
                (found[output],) = outputs[node_id]["text"]
        return found

    return run


@pytest.fixture
def photo(server):
    """(picture in 0..255, mask) that the blueprints are given."""
    outputs = server.run(
        {
            "photo": {"class_type": PHOTO, "inputs": {"photo": "coffee_holes"}},
            "mask": {"class_type": "MaskToImage", "inputs": {"mask": ["photo", MASK]}},
            "a": {"class_type": "PreviewImage", "inputs": {"images": ["photo", 0]}},
            "b": {"class_type": "PreviewImage", "inputs": {"images": ["mask", 0]}},
        }
    )
    pictures = [Image.open(BytesIO(server.image(outputs[key]["images"][0]))).convert("RGB") for key in "ab"]
    image, mask = (np.asarray(picture, dtype=float) for picture in pictures)
    return image, mask[..., 0] > 127


def test_restore_my_photo(results, photo):
    found = results("Restore my photo")
    image, mask = photo
    assert mask.any() and found["image"].shape == found["sharper"].shape == image.shape
    assert "inpainting" in found["text"]


def test_enlarge(results, photo):
    image, _ = photo
    found = results("Enlarge")
    assert found["image"].shape == (2 * image.shape[0], 2 * image.shape[1], 3)
    assert "super-resolution x2" in found["text"]


def test_remove_scratches_leaves_the_rest(results, photo):
    """All but the mask and the pixel around it that is added."""
    image, mask = photo
    changed = (results("Remove scratches")["image"] != image).any(axis=-1)
    grown = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        grown[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    assert changed[mask].any() and not changed[~grown].any()


def test_degrade_and_measure(results, photo):
    image, _ = photo
    found = results("Degrade and measure")
    assert found["damaged"].shape == (image.shape[0] // 2, image.shape[1] // 2, 3)
    assert found["estimate"].shape == found["sample"].shape == image.shape
    assert found["text"].count("PSNR") >= 1 and "residual" in found["text"]


def test_the_converter_asks_for_it_to_be_unpacked(server):
    with pytest.raises(ValueError, match="'Enlarge'.*unpack"):
        to_prompt(blueprint("Enlarge"), server.object_info())
