"""The pictures that the host saves say what the stages did, also those that came from its cache."""

import io
import json

import pytest
from PIL import Image

from maprps.nodes.saved_stages import KEYWORD

WORKFLOW = {"nodes": [], "links": [], "version": 0.4}


def graph(renoise):
    """Both stages on a small photo; the sample and what was damaged are saved."""
    measured = {"degradation": ["blur", 0], "measurement": ["damaged", 0], "noise_std": 0.02, "model": ["model", 0]}
    nodes = {
        "photo": ("MAPRPS_ExamplePhoto", {"photo": "cat"}),
        "piece": ("ImageCrop", {"image": ["photo", 0], "width": 32, "height": 24, "x": 150, "y": 90}),
        "blur": ("MAPRPS_GaussianBlur", {"size": 9, "sigma": 1.5}),
        "damaged": (
            "MAPRPS_ApplyDegradation",
            {"image": ["piece", 0], "degradation": ["blur", 0], "noise_std": 0.02, "seed": 3},
        ),
        "model": ("MAPRPS_LoadPixelModel", {"model_name": "MAP-RPS embedded prior"}),
        "map": ("MAPRPS_MAPEstimation", {**measured, "method": "fast", "seed": 5}),
        "sample": (
            "MAPRPS_RenoisedPosteriorSampling",
            {**measured, "estimate": ["map", 0], "renoise": renoise, "steps": 2, "seed": 7},
        ),
        "save": ("SaveImage", {"images": ["sample", 0], "filename_prefix": "tests/stages"}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


@pytest.fixture
def saved(server):
    """saved(prompt, workflow): (text of the saved PNG by keyword, ids of the nodes that the host did not run)."""

    def run(prompt, workflow=None):
        cached = []
        job = server.submit(prompt, workflow)
        outputs = job.outputs(lambda kind, data: cached.extend(data["nodes"]) if kind == "execution_cached" else None)
        (item,) = outputs["save"]["images"]
        with Image.open(io.BytesIO(server.image(item))) as picture:
            return dict(picture.text), set(cached), job.prompt_id

    return run


def test_settings_and_lines_are_in_the_png(server, saved):
    text, _, prompt_id = saved(graph(0.1), WORKFLOW)
    first, second = json.loads(text[KEYWORD])
    assert (first["node"], second["node"]) == ("MAPRPS_MAPEstimation", "MAPRPS_RenoisedPosteriorSampling")
    assert first["settings"].items() >= {"method": "fast", "seed": 5, "noise_std": 0.02}.items()
    assert second["settings"].items() >= {"renoise": 0.1, "steps": 2, "seed": 7, "level": "as given"}.items()
    assert "Gaussian blur" in first["settings"]["degradation"] and first["settings"] != second["settings"]
    (line,), (other,) = first["stages"], second["stages"]
    assert line.startswith("MAP estimation by ") and " model calls, residual " in line
    assert other.startswith("posterior sampling from sigma ") and " 2 model calls, residual " in other

    assert json.loads(text["workflow"]) == WORKFLOW  # what the page opens
    assert json.loads(text["prompt"])["map"]["inputs"]["method"] == "fast"
    kept = server.get(f"/history/{prompt_id}")[prompt_id]["prompt"][3]["extra_pnginfo"]
    assert kept["workflow"] == WORKFLOW

    again, cached, _ = saved(graph(0.2), WORKFLOW)
    assert "map" in cached and "sample" not in cached
    kept_first, new_second = json.loads(again[KEYWORD])
    assert kept_first == first and new_second["settings"]["renoise"] == 0.2
    assert KEYWORD not in again["prompt"] + again["workflow"]

    same = graph(0.2)
    same["save"]["inputs"]["filename_prefix"] = "tests/others"
    assert saved(same, WORKFLOW)[1] == same.keys() - {"save"}


def test_a_prompt_of_another_client_runs_without_it(server):
    """Clients of the interface need not send a dictionary for it."""
    answer = server.post("/prompt", {"prompt": graph(0.15)})
    while not (done := server.get(f"/history/{answer['prompt_id']}")):
        server.alive()
    assert done[answer["prompt_id"]]["status"]["status_str"] == "success"
