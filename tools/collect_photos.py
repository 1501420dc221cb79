"""Collect the photographs that the embedded prior is trained on (Debian and Ubuntu only: apt-get, dpkg-deb).

    python -m tools.collect_photos DIR       # downloads 210 MB

models/data/photos.csv names each photo, the package it comes from, its author and license, and the scale down to which
it has to be reduced to be sharp in every pixel. This writes

    DIR/photos/*.png     every photo at its scale; the folder that train_prior and train_latent_example take

Needs Pillow.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

from . import ROOT

PHOTOS = ROOT / "models" / "data" / "photos.csv"


def resources(blob: bytes) -> dict[str, bytes]:
    """The files in a compiled Qt resource (.rcc, format 1 to 3), by path.

    Layout, big-endian: "qres", version, offsets of the tree, the data and the names. A tree node is the offset of its
    name (4 bytes), flags (2), then for a folder the number and first index of its children (4, 4), for a file
    its locale and the offset of its data (4, 4), and since format 2 a time stamp (8). Flag 1: zlib, 2: folder.
    """
    version, tree, data, names = struct.unpack_from(">4I", blob, 4)
    node_size = 14 if version == 1 else 22

    def name(offset: int) -> str:
        (length,) = struct.unpack_from(">H", blob, names + offset)
        start = names + offset + 6  # the hash of the name lies between
        return blob[start : start + 2 * length].decode("utf-16-be")

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        name_offset, flags, first, second = struct.unpack_from(">IHII", blob, tree + index * node_size)
        path = folder + name(name_offset) if index else ""
        if flags & 2:
            for child in range(second, second + first):
                yield from walk(child, path + "/" if path else "")
        else:
            (size,) = struct.unpack_from(">I", blob, data + second)
            content = blob[data + second + 4 : data + second + 4 + size]
            yield path, zlib.decompress(content[4:]) if flags & 1 else content

    return dict(walk(0, ""))


def download(packages: list[str], folder: Path) -> Path:
    """Unpack the packages as apt has them into folder/root."""
    debs, root = folder / "debs", folder / "root"
    debs.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *packages], cwd=debs, check=True)
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True)
    return root


def originals(photos: list[dict[str, str]], root: Path) -> Iterator[tuple[dict[str, str], bytes]]:
    """Each row of photos.csv with the bytes of its picture.

    Raises:
        SystemExit: another release of the package holds another picture, or none.
    """
    opened: dict[str, dict[str, bytes]] = {}
    for photo in photos:
        path, _, inner = photo["path"].partition(":")
        if inner and path not in opened:
            opened[path] = resources((root / path).read_bytes())
        try:
            picture = opened[path][inner] if inner else (root / path).read_bytes()
        except (KeyError, FileNotFoundError):
            picture = b""
        if hashlib.sha256(picture).hexdigest() != photo["sha256"]:
            raise SystemExit(f"{photo['file']} is not as in {photo['package']} {photo['version']} (Debian 12)")
        yield photo, picture


def reduced(picture: bytes, scale: float) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    size = round(image.width * scale), round(image.height * scale)
    return image.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder

    with PHOTOS.open(newline="", encoding="utf-8") as rows:
        photos = list(csv.DictReader(rows))
    root = download(sorted({photo["package"] for photo in photos}), folder)

    store = folder / "photos"
    store.mkdir(exist_ok=True)
    for photo, picture in originals(photos, root):
        reduced(picture, float(photo["scale"])).save((store / photo["file"]).with_suffix(".png"))
    print(f"{len(photos)} photos in {store}")


if __name__ == "__main__":
    main()
