"""What the shipped workflows make of a small piece of their photo, kept as thumbnails in tests/host/golden."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from maprps.launch.client import Client
from maprps.launch.workflow_to_prompt import to_prompt

ROOT = Path(__file__).absolute().parents[2]
GOLDEN = ROOT / "tests" / "host" / "golden"
SIDE, THUMBNAIL = 64, 32  # pixels; whole blocks, whose means no choice of a filter can change


def workflows() -> Iterator[Path]:
    """Those that need no file beside the pack's own."""
    for file in sorted((ROOT / "workflows").glob("*.json")):
        if not any("models" in node["properties"] for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]):
            yield file


def small_prompt(client: Client, file: Path) -> dict:
    """A workflow as a prompt, as it is shipped but for its photo, of which a piece is left.

    What enlarges or reduces the photo by pixels does so to the same size.
    """
    prompt = to_prompt(json.loads(file.read_text(encoding="utf-8")), client.object_info())
    for node in prompt.values():
        if node["class_type"] == "MAPRPS_ExamplePhoto":
            photo = node["inputs"]["photo"]
            node |= {"class_type": "LoadImage", "inputs": {"image": upload_piece(client, photo)}}
        if node["class_type"] == "ImageScale":
            node["inputs"] |= {"width": SIDE, "height": SIDE}
    return prompt


def upload_piece(client: Client, photo: str) -> str:
    with Image.open(ROOT / "workflows" / "photos" / f"{photo}.png") as picture:
        left, top = (picture.width - SIDE) // 4, (picture.height - SIDE) // 4  # where every photo has something to see
        data = io.BytesIO()
        picture.crop((left, top, left + SIDE, top + SIDE)).save(data, "PNG")
    return client.upload_image(f"piece_of_{photo}.png", data.getvalue())


def thumbnails(client: Client, prompt: dict) -> dict[str, np.ndarray]:
    """Runs the prompt. Name -> uint8 [32, 32, 3] of each saved picture of the photo's size: no sheets, no plots."""
    found = {}
    for shown in client.run(prompt).values():
        items = [item for item in shown.get("images", ()) if item["type"] == "output"]
        for number, item in enumerate(items, 1):
            with Image.open(io.BytesIO(client.image(item))) as picture:
                if picture.size == (SIDE, SIDE):
                    name = re.sub(r"_\d+_\.png$", f" {number}", item["filename"])
                    found[name] = block_means(np.asarray(picture.convert("RGB")))
    return dict(sorted(found.items()))


def block_means(pixels: np.ndarray) -> np.ndarray:
    blocks = pixels.reshape(THUMBNAIL, SIDE // THUMBNAIL, THUMBNAIL, SIDE // THUMBNAIL, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def differences(pictures: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> dict[str, float]:
    """Name -> mean absolute difference, in levels of 8 bits; infinite where only one of the two has that picture."""
    found = dict.fromkeys(pictures.keys() ^ others.keys(), float("inf"))
    for name in pictures.keys() & others.keys():
        found[name] = float(np.abs(pictures[name].astype(float) - others[name]).mean())
    return dict(sorted(found.items()))


def keep(name: str, pictures: dict[str, np.ndarray]) -> None:
    """Writes a workflow's thumbnails side by side, with their names in the PNG's text."""
    text = PngInfo()
    text.add_text("pictures", json.dumps([*pictures]))
    Image.fromarray(np.concatenate([*pictures.values()], 1)).save(GOLDEN / f"{name}.png", pnginfo=text, optimize=True)


def kept(name: str) -> dict[str, np.ndarray]:
    """What was kept; nothing of a new workflow."""
    if not (GOLDEN / f"{name}.png").exists():
        return {}
    with Image.open(GOLDEN / f"{name}.png") as strip:
        names, pixels = json.loads(strip.text["pictures"]), np.array(strip)
    return dict(zip(names, np.split(pixels, len(names), 1), strict=True))
