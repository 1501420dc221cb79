"""Brings what a workflow has made to the person."""

import re
from pathlib import Path

from .client import Client


def save_images(client: Client, outputs: dict, folder: Path) -> list[Path]:
    """Fetches every saved picture into `folder` under the prefix it was saved with. Returns the files."""
    files = []
    for shown in outputs.values():
        items = [item for item in shown.get("images", ()) if item["type"] == "output"]
        for number, item in enumerate(items, 1):
            name, suffix = re.fullmatch(r"(.*?)(?:_\d+_)?(\.\w+)", item["filename"]).groups()
            file = folder / item["subfolder"] / f"{name}{f'-{number}' if len(items) > 1 else ''}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(client.image(item))
            files.append(file)
    return files
