"""The shipped workflows that need no download run to their end: photos of 96 x 64 pixels, an empty input folder."""

import json
from pathlib import Path

import pytest
from labs.golden import workflows
from PIL import Image

from maprps.launch.workflow_to_prompt import to_prompt

ROOT = Path(__file__).absolute().parents[2]
ALL = sorted(file.stem for file in (ROOT / "workflows").glob("*.json"))
COMPLETE = {file.stem: file for file in workflows()}  # of the others, test_page.py opens the file, and that is all

pytestmark = pytest.mark.slow


def smaller(prompt):
    """The prompt on small photos and, where there are several samples, with two."""
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "MAPRPS_ExamplePhoto":
            node["class_type"] = "MAPRPS_TEST_SmallPhoto"
        if node["class_type"] == "ImageScale":
            inputs |= {"width": 64, "height": 64}
        if inputs.get("samples") in range(3, 100):
            inputs["samples"] = 2
    return prompt


@pytest.mark.parametrize("name", COMPLETE)
def test_workflow_runs(server, name):
    prompt = smaller(to_prompt(json.loads(COMPLETE[name].read_text(encoding="utf-8")), server.object_info()))
    outputs = server.run(prompt)
    showing = {node_id for node_id, node in prompt.items() if node["class_type"] in ("SaveImage", "PreviewImage")}
    assert showing and [node_id for node_id in showing if not outputs[node_id]["images"]] == []


@pytest.mark.parametrize("name", ALL)
def test_thumbnail_is_a_small_square(name):
    with Image.open(ROOT / "workflows" / f"{name}.jpg") as thumbnail:
        assert thumbnail.size == (480, 480)
