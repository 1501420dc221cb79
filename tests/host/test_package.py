"""What ComfyUI's registry hands out, the repository without what .comfyignore names, is a whole pack."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maprps.launch.server import Server

pathspec = pytest.importorskip("pathspec")

ROOT = Path(__file__).absolute().parents[2]
PACK = "map-rps"  # the folder's name that ComfyUI Manager gives it: the project's


def shipped() -> list[str]:
    """Files of the package, as comfy-cli chooses them: those that git has and .comfyignore does not name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    lines = (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(line for line in lines if line and not line.startswith("#"))
    return [file for file in listed.stdout.split("\0") if file and not ignored.match_file(file)]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """A client of a server that has the package alone."""
    folder = tmp_path_factory.mktemp("package") / PACK
    for file in shipped():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    comfyui = Path(os.environ["COMFYUI_PATH"])
    server = Server(Path(sys.executable), comfyui, tmp_path_factory.mktemp("server"), {PACK: folder}, cpu=True)
    yield server.start()
    server.stop()


def nodes_of(client, pack: str) -> set[str]:
    return {node for node, info in client.object_info().items() if info["python_module"].endswith(pack)}


@pytest.mark.slow
def test_all_nodes_load_and_help_and_templates_are_served(packaged, server):
    nodes = nodes_of(packaged, PACK)
    assert nodes and nodes == nodes_of(server, "ComfyUI-MAP-RPS")
    assert all(packaged.get_bytes(f"/extensions/{PACK}/docs/{node}.md") for node in nodes)
    for name in packaged.get("/workflow_templates")[PACK]:
        template = packaged.get_bytes(f"/api/workflow_templates/{PACK}/{name}.json")
        assert {node["type"] for node in json.loads(template)["nodes"] if node["type"].startswith("MAPRPS_")} <= nodes
        assert packaged.get_bytes(f"/api/workflow_templates/{PACK}/{name}.jpg")


@pytest.mark.slow
def test_photo_prior_and_latent_example_are_in_it(packaged):
    prompt = {
        "photo": ("MAPRPS_ExamplePhoto", {"photo": "dahlia"}),
        "small": (
            "ImageScale",
            {"image": ["photo", 0], "upscale_method": "area", "width": 64, "height": 64, "crop": "disabled"},
        ),
        "damage": ("MAPRPS_Denoising", {}),
        "model": ("MAPRPS_LoadPixelModel", {"model_name": "MAP-RPS embedded prior"}),
        "map": (
            "MAPRPS_MAPEstimation",
            {"model": ["model", 0], "degradation": ["damage", 0], "measurement": ["small", 0], "noise_std": 0.1},
        ),
        "latent model": ("MAPRPS_LoadLatentExample", {}),
        "latent map": (
            "MAPRPS_LatentMAPEstimation",
            {
                "model": ["latent model", 0],
                "vae": ["latent model", 1],
                "degradation": ["damage", 0],
                "measurement": ["small", 0],
                "noise_std": 0.1,
            },
        ),
        "both": ("ImageBatch", {"image1": ["map", 0], "image2": ["latent map", 1]}),
        "show": ("PreviewImage", {"images": ["both", 0]}),
    }
    outputs = packaged.run({i: {"class_type": kind, "inputs": inputs} for i, (kind, inputs) in prompt.items()})
    assert len(outputs["show"]["images"]) == 2
