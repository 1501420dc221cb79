"""Every shipped workflow runs to its end on a server with an empty input folder, on photos of 96 x 64 pixels."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

from maprps.launch.server import Server
from maprps.launch.workflow_to_prompt import to_prompt
from maprps.tools.make_random_checkpoint import make

ROOT = Path(__file__).absolute().parents[2]
WORKFLOWS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "workflows").glob("*.json")}

pytestmark = pytest.mark.slow


def models(workflow):
    """(folder, file) of the models that a workflow needs beside what comes with the pack."""
    return {
        (model["directory"], model["name"])
        for node in workflow["nodes"]
        for model in node["properties"].get("models", ())
    }


NEEDS = {name: models(workflow) for name, workflow in WORKFLOWS.items()}


def smaller(prompt):
    """The prompt on small photos and, where there are several samples, with two."""
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "MAPRPS_ExamplePhoto":
            node["class_type"] = "MAPRPS_TEST_SmallPhoto"
        if node["class_type"] == "ImageScale":
            inputs |= {"width": 64, "height": 64}
        if node["class_type"] == "ImageScaleToTotalPixels":
            inputs["megapixels"] = 0.01
        if inputs.get("samples") in range(3, 100):
            inputs["samples"] = 2
    return prompt


def assert_all_is_shown(prompt, outputs):
    showing = {node_id for node_id, node in prompt.items() if node["class_type"] in ("SaveImage", "PreviewImage")}
    assert showing
    assert [node_id for node_id in showing if not outputs[node_id]["images"]] == []


@pytest.mark.parametrize("name", sorted(name for name in WORKFLOWS if not NEEDS[name]))
def test_workflow_runs(server, name):
    prompt = smaller(to_prompt(WORKFLOWS[name], server.object_info()))
    assert_all_is_shown(prompt, server.run(prompt))


@pytest.fixture(scope="module")
def server_with_models(tmp_path_factory, running_server):
    """A server that has the models: random weights of the true shapes, of Stable Diffusion 1.5 in SDXL's place too."""
    folder = tmp_path_factory.mktemp("models")
    for kind, file in set().union(*NEEDS.values()):
        (folder / kind).mkdir(exist_ok=True)
        if kind == "upscale_models":
            save_file(RRDBNet(num_filters=8, num_blocks=1).state_dict(), folder / kind / file)
        else:
            make("sd15", folder / kind / file)
    workspace = tmp_path_factory.mktemp("server_with_models")
    server = Server(
        Path(sys.executable), running_server.comfyui, workspace, running_server.packs, models=folder, cpu=True
    )
    client = server.start()
    yield client
    server.stop()


@pytest.mark.parametrize("name", sorted(name for name in WORKFLOWS if NEEDS[name]))
def test_workflow_with_a_checkpoint_runs(server_with_models, name):
    """In a step or two of each loop; the prompts and links are what is tried."""
    prompt = smaller(to_prompt(WORKFLOWS[name], server_with_models.object_info()))
    for node in prompt.values():
        if "steps" in node["inputs"]:
            node["inputs"]["steps"] = 2
    assert_all_is_shown(prompt, server_with_models.run(prompt))


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_thumbnail_is_a_small_square(name):
    with Image.open(ROOT / "workflows" / f"{name}.jpg") as thumbnail:
        assert thumbnail.size == (480, 480)
