"""Brings what a workflow has made to the person."""

import re
from pathlib import Path

from .client import Client


def texts(outputs: dict, titles: dict[str, str]) -> dict[str, str]:
    """Text -> title of the first node that showed it: a text node repeats what it is connected to."""
    found: dict[str, str] = {}
    for node_id, shown in outputs.items():
        for text in shown.get("text", ()):
            found.setdefault(text, titles[node_id])
    return found


def save_images(client: Client, outputs: dict, folder: Path) -> list[Path]:
    """Fetches every saved picture into `folder` under the prefix it was saved with. Returns the files."""
    files = []
    for shown in outputs.values():
        items = [item for item in shown.get("images", ()) if item["type"] == "output"]
        for number, item in enumerate(items, 1):
            saved = Path(item["filename"])  # prefix_00001_.png
            name, suffix = re.sub(r"_\d+_$", "", saved.stem), saved.suffix
            file = folder / item["subfolder"] / f"{name}{f'-{number}' if len(items) > 1 else ''}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if number == 1:  # an earlier run may have saved more of these
                for old in [file.parent / (name + suffix), *file.parent.glob(f"{name}-[0-9]*{suffix}")]:
                    old.unlink(missing_ok=True)
            file.write_bytes(client.image(item))
            files.append(file)
    return files
