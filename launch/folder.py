"""The photos of a folder, and what belongs to each: its result, its mask, its reference."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePath

from .terminal import Problem

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Photo:
    """A photo to be restored. name: its path below the folder, with slashes; result: the PNG that it becomes."""

    file: Path
    name: str
    result: Path
    mask: Path | None = None
    reference: Path | None = None


def photos_in(folder: Path, out: Path, mask: Path | None = None, reference: Path | None = None) -> list[Photo]:
    """The photos of a folder and its subfolders by name, without what is hidden and the other folders that are given.

    mask: one for all, or a folder of them; reference: a folder; both hold files of the photos' names, whatever the
    suffix. Problem: there are no photos, or two would have the same result.
    """
    if folder.resolve().is_relative_to(out.resolve()):
        raise Problem(f"{out} holds the photos of {folder}: take another folder for --out.")
    names = _names(folder, {other.resolve() for other in (out, mask, reference) if other})
    if not names:
        raise Problem(f"{folder} holds no photos ({', '.join(suffix[1:] for suffix in SUFFIXES)}).")
    masks = _Namesakes(mask) if mask and mask.is_dir() else None
    references = _Namesakes(reference) if reference else None
    photos = [
        Photo(
            folder / name,
            name.as_posix(),
            out / result_name(name),
            masks.of(name, names) if masks else mask,
            references.of(name, names) if references else None,
        )
        for name in names
    ]
    for what, given in (("mask", masks), ("reference", references)):
        if given and not any(getattr(photo, what) for photo in photos):
            raise Problem(f"{given.folder} has no {what} with the name of a photo of {folder}.")
    first: dict[Path, Photo] = {}
    for photo in photos:
        if (other := first.setdefault(photo.result, photo)) is not photo:
            raise Problem(f"{other.file} and {photo.file} would both become {photo.result}: rename one of them.")
    return photos


def result_name(name: PurePath) -> PurePath:
    """What a photo's result is called: cat.jpg becomes cat.jpg.png, so that cat.tif is another, and cat.png stays."""
    return name if name.suffix.lower() == ".png" else name.with_name(name.name + ".png")


def _names(folder: Path, without: Collection[Path] = ()) -> list[PurePath]:
    """The paths below `folder` of its photos, sorted; nothing below the folders `without`, which are resolved."""
    found: list[PurePath] = []
    for top, below, files in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".") and Path(top, name).resolve() not in without]
        found += [
            Path(top, name).relative_to(folder)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found)


class _Namesakes:
    """Finds the files of a folder that are called as photos are."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._by_stem: dict[PurePath, list[PurePath]] = {}
        for name in _names(folder):
            self._by_stem.setdefault(name.with_suffix(""), []).append(name)

    def of(self, photo: PurePath, photos: list[PurePath]) -> Path | None:
        """The file of the photo's name, else one that differs in the suffix alone and has no other photo's name.

        Problem: there are several.
        """
        found = self._by_stem.get(photo.with_suffix(""), [])
        if photo in found:
            return self.folder / photo
        free = [name for name in found if name not in photos]
        if len(free) > 1:
            several = " and ".join(str(self.folder / name) for name in free)
            raise Problem(f"{several} could both belong to {photo}: name one exactly so.")
        return self.folder / free[0] if free else None
