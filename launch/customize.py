"""Puts a person's photo and options into a prompt (API form), by node class and input name."""

import argparse
import copy
import math
import subprocess
from pathlib import Path

from .client import Client
from .environment import LAUNCH, PRIVATE, REPOSITORY
from .terminal import Problem, say
from .workflow_to_prompt import default_inputs

PHOTOS = REPOSITORY / "workflows" / "photos"
MULTIPLE = 8  # own photos are cropped to a multiple of this many pixels
DEGRADATIONS = {
    "sr": "MAPRPS_SuperResolution",
    "deblur": "MAPRPS_GaussianBlur",
    "inpaint": "MAPRPS_Inpainting",
    "denoise": "MAPRPS_Denoising",
}
_NOISE_STD = {"denoise": 0.1}  # what is denoised should be noisy; the others keep the workflow's
_MEASURE = "MAPRPS_ApplyDegradation"
_SAMPLING = ("MAPRPS_RenoisedPosteriorSampling", "MAPRPS_LatentRenoisedPosteriorSampling")
_TRAVERSAL = "MAPRPS_Traversal"
_EXAMPLE = "MAPRPS_ExamplePhoto"


def customize(prompt: dict, object_info: dict, client: Client, python: Path, chosen: argparse.Namespace) -> None:
    """Puts what was chosen on the command line into the prompt, and the photo into the server's input folder."""
    if chosen.image or chosen.degradation == "inpaint":
        source = load_image(prompt)
        photo = chosen.image or PHOTOS / f"{source['inputs']['photo']}.png"
        prepared, mask = PRIVATE / "photo.png", PRIVATE / "mask.png"
        prepare_photo(python, photo, prepared, mask, math.lcm(MULTIPLE, chosen.factor or 4))
        own = client.upload_image("own_photo.png", prepared.read_bytes())
        source |= {"class_type": "LoadImage", "inputs": {"image": own}}
        client.upload_image("own_mask.png", mask.read_bytes())
    if chosen.degradation:
        use_degradation(prompt, object_info, chosen.degradation, chosen.factor, "own_mask.png")
    noise_std = _NOISE_STD.get(chosen.degradation) if chosen.noise_std is None else chosen.noise_std
    use_numbers(prompt, noise_std=noise_std, renoise=chosen.renoise, steps=chosen.steps, seed=chosen.seed)


def prepare_photo(python: Path, photo: Path, prepared: Path, mask: Path, multiple: int) -> None:
    """Writes the photo as the nodes need it, and a mask of its size. Problem: it cannot be read or is too small."""
    command = [str(part) for part in (python, LAUNCH / "photo.py", photo, prepared, mask, multiple)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Problem(done.stderr.strip())
    width, height, new_width, new_height = map(int, done.stdout.split())
    if (width, height) != (new_width, new_height):
        say(f"The photo is {width} x {height}; it is cropped to {new_width} x {new_height}, multiples of {multiple}.")


def use_degradation(prompt: dict, object_info: dict, name: str, factor: int | None, mask: str) -> None:
    """The degradation becomes the one called `name`, with its defaults; mask: a file in the server's input folder."""
    node_id = prompt[_measuring_node(prompt)]["inputs"]["degradation"][0]
    class_type = DEGRADATIONS[name]
    info = object_info[class_type]
    inputs = default_inputs(info)
    if factor:
        inputs["factor"] = factor
    if name == "inpaint":
        to_mask = {"image": _same_way(prompt, mask), "channel": "red"}
        prompt["mask"] = {"class_type": "ImageToMask", "inputs": to_mask, "_meta": {"title": "Mask"}}
        inputs["mask"] = ["mask", 0]
    prompt[node_id] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": info["display_name"]}}


def use_numbers(
    prompt: dict, *, noise_std: float | None, renoise: list[float] | None, steps: int | None, seed: int | None
) -> None:
    """Sets what is not None: noise_std and seed on all nodes of the pack, renoise and steps on those that sample.

    Where a workflow has Traversal, the renoise levels are its; without it, they are dealt out to the sampling nodes.
    """
    for node in prompt.values():
        if node["class_type"].startswith("MAPRPS_"):
            _set(node, "noise_std", noise_std)
            _set(node, "seed", seed)
        if node["class_type"] in (*_SAMPLING, _TRAVERSAL):
            _set(node, "steps", steps)
    if renoise is None:
        return
    sampling = [node for node in prompt.values() if node["class_type"] in _SAMPLING]
    traversals = [node for node in prompt.values() if node["class_type"] == _TRAVERSAL]
    if traversals:
        for node in traversals:
            _set(node, "levels", ", ".join(f"{level:g}" for level in renoise))
        return
    if len(sampling) != len(renoise):
        raise Problem(f"This workflow has {len(sampling)} sampling nodes, but --renoise gives {len(renoise)} levels.")
    for node, level in zip(sampling, renoise, strict=True):
        _set(node, "renoise", level)


def load_image(prompt: dict) -> dict:
    """The Example Photo or Load Image that the picture to be degraded comes from, through whatever lies between."""
    return prompt[_way(prompt)[-1]]


def _way(prompt: dict) -> list[str]:
    """The ids of the nodes that the picture to be degraded comes through, back to its source."""
    node, way = prompt[_measuring_node(prompt)], []
    while node["class_type"] not in ("LoadImage", _EXAMPLE):
        source = node["inputs"].get("image")
        if not isinstance(source, list):
            raise Problem("This workflow's picture comes from no Example Photo or Load Image: it cannot be replaced.")
        way.append(source[0])
        node = prompt[source[0]]
    return way


def _same_way(prompt: dict, picture: str) -> list:
    """Sends another picture through copies of those nodes, so that it ends with the same size. Returns their output."""
    way = _way(prompt)
    for node_id, source in zip(way, [*way[1:], None], strict=True):
        node = copy.deepcopy(prompt[node_id])
        node["inputs"]["image"] = picture if source is None else [f"{source}-mask", 0]
        prompt[f"{node_id}-mask"] = node
    return [f"{way[0]}-mask", 0]


def _measuring_node(prompt: dict) -> str:
    """The id of the node that degrades the picture."""
    found = [node_id for node_id, node in prompt.items() if node["class_type"] == _MEASURE]
    if len(found) != 1:
        raise Problem(f"--image and --degradation need a workflow with one {_MEASURE} node; this one has {len(found)}.")
    return found[0]


def _set(node: dict, name: str, value) -> None:
    if value is not None and name in node["inputs"]:
        node["inputs"][name] = value
