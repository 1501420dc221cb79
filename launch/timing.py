"""How long a photo will take, judged by the last run of the same workflow on this machine."""

import json
import struct
from pathlib import Path

from .environment import PRIVATE

_FILE = PRIVATE / "timing.json"  # workflow -> seconds per megapixel


def pixels(prompt: dict, inputs: Path) -> int | None:
    """Number of pixels of the largest PNG that the prompt loads; None where it loads none. inputs: the folder of all of
    them, example photos too."""
    own = [node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage"]
    examples = [node["inputs"]["photo"] for node in prompt.values() if node["class_type"] == "MAPRPS_ExamplePhoto"]
    names = [*own, *(f"{photo}.png" for photo in examples)]
    return max((_png_pixels(inputs / name) for name in names if name.endswith(".png")), default=None)


def expected(workflow: str, count: int) -> float | None:
    """Seconds for `count` pixels; None where the workflow has not run here."""
    rate = _rates().get(workflow)
    return rate and rate * count / 1e6


def record(workflow: str, count: int, seconds: float) -> None:
    _FILE.write_text(json.dumps(_rates() | {workflow: seconds / count * 1e6}), encoding="utf-8")


def _rates() -> dict[str, float]:
    return json.loads(_FILE.read_text(encoding="utf-8")) if _FILE.exists() else {}


def _png_pixels(file: Path) -> int:
    with file.open("rb") as stream:
        width, height = struct.unpack(">II", stream.read(24)[16:])  # the IHDR chunk comes first
    return width * height
