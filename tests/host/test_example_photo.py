"""Example Photo: the photos of workflows/photos, so that every workflow runs with an empty input folder."""

import json
import re
from pathlib import Path

import pytest
import torch

import nodes
from maprps.nodes.example_photo import CREDITS, ExamplePhoto

ROOT = Path(__file__).absolute().parents[2]


def test_every_photo_is_offered_and_credited_as_its_license_asks():
    rows = (ROOT / "workflows" / "photos" / "LICENSES.md").read_text(encoding="utf-8").splitlines()
    files = {match[1]: row for row in rows if (match := re.match(r"\| `(\w+)\.png` \|", row))}
    assert files.keys() == CREDITS.keys() == {path.stem for path in (ROOT / "workflows" / "photos").glob("*.png")}
    for name, row in files.items():
        _, _, _, author, license, *_ = row.split("|")
        license = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", license)
        assert author.strip() in CREDITS[name] and CREDITS[name].endswith(license.strip())


@pytest.mark.parametrize("photo", CREDITS)
def test_it_is_what_load_image_gives_of_the_file(photo, monkeypatch):
    path = str(ROOT / "workflows" / "photos" / f"{photo}.png")
    monkeypatch.setattr("folder_paths.get_annotated_filepath", lambda name: path)
    expected, mask = nodes.LoadImage().load_image(photo)[:2]
    image, holes, _ = ExamplePhoto.execute(photo).result
    assert torch.equal(image, expected) and holes.shape == image.shape[:3]
    assert torch.equal(holes, mask) if photo == "coffee_holes" else not holes.any() and not mask.any()


def test_a_photo_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ValueError, match="'kitten': choose one of dahlia, "):
        ExamplePhoto.execute(photo="kitten")


@pytest.mark.parametrize("file", sorted((ROOT / "workflows").glob("*.json")), ids=lambda file: file.stem)
def test_no_workflow_asks_for_a_file_that_a_clone_does_not_put_in_place(file):
    kinds = {node["type"] for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]}
    assert "MAPRPS_ExamplePhoto" in kinds and "LoadImage" not in kinds


def test_the_node_shows_the_photo_and_its_credit(server):
    """Also where its result is cached."""
    prompt = {"photo": {"class_type": "MAPRPS_ExamplePhoto", "inputs": {"photo": "dahlia"}}, "show": {
        "class_type": "PreviewImage", "inputs": {"images": ["photo", 0]}
    }}  # fmt: skip
    for _ in range(2):
        shown = server.run(prompt)["photo"]
        assert len(shown["images"]) == 1 and shown["text"] == [CREDITS["dahlia"]]
