"""The pack in a real ComfyUI server: the public contract, and the harness the other host tests stand on."""

from io import BytesIO

import numpy as np
import pytest
from labs.golden import small_prompt, workflows
from PIL import Image

from maprps.launch.client import PromptError
from maprps.launch.workflow_to_prompt import to_prompt

# The public contract: node id -> (inputs to connect or choose, output types). Shared workflows
# depend on it.
CONTRACT = {
    "MAPRPS_RestorePhoto": ({"image"}, ["IMAGE", "STRING", "IMAGE", "DEGRADATION", "FLOAT"]),
    "MAPRPS_LoadPixelModel": ({"model_name"}, ["MODEL"]),
    "MAPRPS_Denoising": (set(), ["DEGRADATION"]),
    "MAPRPS_SuperResolution": ({"factor"}, ["DEGRADATION", "IMAGE"]),
    "MAPRPS_GaussianBlur": (set(), ["DEGRADATION", "IMAGE"]),
    "MAPRPS_MotionBlur": (set(), ["DEGRADATION", "IMAGE"]),
    "MAPRPS_AnisotropicBlur": (set(), ["DEGRADATION", "IMAGE"]),
    "MAPRPS_KernelBlur": ({"kernel"}, ["DEGRADATION", "IMAGE"]),
    "MAPRPS_SpaceVaryingBlur": (set(), ["DEGRADATION", "IMAGE"]),
    "MAPRPS_Inpainting": ({"mask"}, ["DEGRADATION", "MASK"]),
    "MAPRPS_BoxInpainting": (set(), ["DEGRADATION", "MASK"]),
    "MAPRPS_RandomInpainting": (set(), ["DEGRADATION", "MASK"]),
    "MAPRPS_Colorization": (set(), ["DEGRADATION"]),
    "MAPRPS_BayerMosaic": (set(), ["DEGRADATION"]),
    "MAPRPS_CompressedSensing": (set(), ["DEGRADATION", "MASK"]),
    "MAPRPS_HDR": (set(), ["DEGRADATION"]),
    "MAPRPS_NonlinearBlur": (set(), ["DEGRADATION"]),
    "MAPRPS_PhaseRetrieval": (set(), ["DEGRADATION"]),
    "MAPRPS_JPEG": (set(), ["DEGRADATION"]),
    "MAPRPS_Quantization": (set(), ["DEGRADATION"]),
    "MAPRPS_Clipped": ({"degradation"}, ["DEGRADATION"]),
    "MAPRPS_ComposeDegradations": ({"first", "second"}, ["DEGRADATION"]),
    "MAPRPS_StackDegradations": ({"first", "second"}, ["DEGRADATION"]),
    "MAPRPS_DegradationPreset": (set(), ["DEGRADATION", "FLOAT", "STRING"]),
    "MAPRPS_DegradationInfo": ({"degradation"}, ["STRING", "IMAGE"]),
    "MAPRPS_ApplyDegradation": ({"image", "degradation"}, ["IMAGE", "IMAGE"]),
    "MAPRPS_MAPEstimation": ({"model", "degradation", "measurement"}, ["IMAGE", "STRING"]),
    "MAPRPS_RenoisedPosteriorSampling": ({"model", "degradation", "measurement", "estimate"}, ["IMAGE"]),
    "MAPRPS_Traversal": (
        {"model", "degradation", "measurement", "estimate"},
        ["IMAGE", "IMAGE", "IMAGE", "STRING"],
    ),
    "MAPRPS_Blend": ({"estimate", "sample"}, ["IMAGE"]),
    "MAPRPS_Uncertainty": ({"images"}, ["IMAGE", "IMAGE", "STRING"]),
    "MAPRPS_LatentMAPEstimation": (
        {"model", "vae", "degradation", "measurement", "positive", "negative", "cfg"},
        ["LATENT", "IMAGE", "STRING"],
    ),
    "MAPRPS_LatentRenoisedPosteriorSampling": (
        {"model", "vae", "degradation", "measurement", "estimate", "positive", "negative", "cfg"},
        ["LATENT", "IMAGE"],
    ),
    "MAPRPS_Sampler": ({"model", "degradation", "measurement"}, ["SAMPLER"]),
    "MAPRPS_Guider": ({"model", "degradation", "measurement"}, ["GUIDER"]),
    "MAPRPS_LoadLatentExample": (set(), ["MODEL", "VAE"]),
    "MAPRPS_KeepMeasured": ({"image", "degradation", "measurement"}, ["IMAGE"]),
    "MAPRPS_EstimateNoise": ({"image"}, ["FLOAT"]),
    "MAPRPS_EstimateBlur": ({"photo"}, ["DEGRADATION"]),
    "MAPRPS_Metrics": ({"image", "reference"}, ["FLOAT", "FLOAT", "FLOAT", "STRING", "IMAGE"]),
    "MAPRPS_ExamplePhoto": ({"photo"}, ["IMAGE", "MASK", "STRING"]),
}


@pytest.mark.parametrize("node_id", CONTRACT)
def test_contract(server, node_id):
    inputs, outputs = CONTRACT[node_id]
    info = server.object_info()[node_id]
    specs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    assert inputs <= set(specs)
    # What else is required is a widget with a default, so that a graph has to connect nothing but these.
    for name in set(info["input"].get("required", {})) - inputs:
        kind, options = specs[name][0], specs[name][1]
        assert "default" in options or kind == "COMBO", f"{name} has no default"
    assert info["output"][: len(outputs)] == outputs


def test_every_id_is_prefixed(server):
    own = [i for i, info in server.object_info().items() if info["python_module"] == "custom_nodes.ComfyUI-MAP-RPS"]
    assert set(CONTRACT) <= set(own)
    assert all(node_id.startswith("MAPRPS_") for node_id in own)


def waiting(**inputs):
    """A prompt that waits and shows the result."""
    inputs = {"image": ["image", 0], "steps": 2, "fail_at": -1} | inputs
    return {
        "image": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 255}},
        "wait": {"class_type": "MAPRPS_TEST_Wait", "inputs": inputs},
        "show": {"class_type": "PreviewImage", "inputs": {"images": ["wait", 0]}},
    }


def test_run_reports_progress_and_outputs(server, counts_to):
    run = server.submit(waiting(steps=5))
    steps = []
    outputs = run.outputs(lambda kind, data: steps.append(data["value"]) if kind == "progress" else None)
    assert counts_to(steps, 5)
    (item,) = outputs["show"]["images"]
    assert server.image(item).startswith(b"\x89PNG")


def test_interrupt(server):
    run = server.submit(waiting(steps=400))
    for kind, _ in run.events():
        if kind == "progress":
            server.interrupt()
    with pytest.raises(PromptError) as stopped:
        run.outputs()
    assert stopped.value.kind == "interrupted"
    assert stopped.value.node_type == "MAPRPS_TEST_Wait"


def test_two_prompts_at_once_come_out_as_alone(server):
    """Of two workflows, in turns, each without the other's results in the host's cache."""
    prompts = [small_prompt(server, file) for file in workflows() if file.stem in ("denoising", "inpainting")]
    runs = [server.submit(prompt) for prompt in prompts]
    together = [pictures(server, run.outputs()) for run in runs]
    for prompt, found in zip(prompts, together, strict=True):
        run = server.submit(prompt)
        executed = {data.get("node") for kind, data in run.events() if kind == "executing"}
        assert {node for node, entry in prompt.items() if "estimate" in entry["inputs"]} <= executed
        alone = pictures(server, run.outputs())
        assert len(alone) == 3 and all(map(np.array_equal, found, alone))


def pictures(server, outputs):
    """Pixels of what was saved, by the node."""
    items = [item for node in sorted(outputs) for item in outputs[node].get("images", ()) if item["type"] == "output"]
    return [np.asarray(Image.open(BytesIO(server.image(item)))) for item in items]


def test_failure_names_node_and_reason(server):
    with pytest.raises(PromptError) as failed:
        server.run(waiting(fail_at=1))
    assert failed.value.kind == "error"
    assert failed.value.node_id == "wait"
    assert "failed at step 1" in failed.value.message
    assert "Traceback" not in failed.value.message and "execute" in failed.value.details


def test_refusal_names_node_and_input(server):
    with pytest.raises(PromptError) as refused:
        server.submit(waiting(fail_at=-2))
    assert refused.value.kind == "invalid"
    assert refused.value.node_id == "wait"
    assert "fail_at" in refused.value.details


def test_half_a_prompt_is_refused(server):
    """The server itself would run the valid output and say nothing."""
    prompt = waiting(fail_at=-2)
    prompt["more"] = {"class_type": "PreviewImage", "inputs": {"images": ["image", 0]}}
    with pytest.raises(PromptError) as refused:
        server.submit(prompt)
    assert refused.value.node_id == "wait"
    assert "fail_at" in refused.value.details


def test_uploaded_image_is_loaded(server, photos):
    name = server.upload_image("uploaded.png", photos[0].read_bytes())
    outputs = server.run(
        {
            "load": {"class_type": "LoadImage", "inputs": {"image": name}},
            "save": {"class_type": "SaveImage", "inputs": {"images": ["load", 0], "filename_prefix": "tests/photo"}},
        }
    )
    (item,) = outputs["save"]["images"]
    assert (item["subfolder"], item["type"]) == ("tests", "output")


def test_workflow_converter_uses_the_servers_own_description(server):
    """KSampler in a real /object_info: the seed's control value is skipped, the rest keeps its place."""
    workflow = {
        "nodes": [{"id": 7, "type": "KSampler", "widgets_values": [5, "randomize", 12, 7.5, "euler", "karras", 0.4]}],
        "links": [],
    }
    inputs = to_prompt(workflow, server.object_info())["7"]["inputs"]
    assert inputs == {
        "seed": 5, "steps": 12, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 0.4
    }  # fmt: skip
