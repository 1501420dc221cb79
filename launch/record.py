"""What a restored photo's PNG says of itself. It is the only ledger, so nothing can get out of step with the pictures:
what is done is what has a PNG whose record fits the photo and the settings."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from . import png

_KEYWORD = "map-rps"


@dataclass(frozen=True)
class Record:
    """photo: its name; key: `key_of` its prompt; settings and report: for people; seconds: how long it took."""

    photo: str
    key: str
    settings: str
    report: str
    seconds: float


def key_of(prompt: dict) -> str:
    """A digest of what a prompt does; it holds the photo where the prompt's files are named by their content."""
    parts = {node_id: [node["class_type"], node["inputs"]] for node_id, node in prompt.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read(result: Path) -> Record | None:
    """The record of a PNG; None where it has none."""
    text = png.read_text(result, _KEYWORD)
    return Record(**json.loads(text)) if text else None


def with_record(result: bytes, photo: bytes, record: Record) -> bytes:
    """The PNG `result` with a record, and with the color profile and the EXIF data of the PNG `photo`."""
    return png.like_photo(result, photo, _KEYWORD, json.dumps(asdict(record)))
