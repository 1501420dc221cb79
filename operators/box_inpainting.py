"""Inpainting of a rectangle."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .degradation import Degradation
from .inpainting import Mask
from .space import Space


@dataclass(frozen=True)
class BoxInpainting(Degradation):
    """A box is missing, in all channels alike: half the height and width, in the middle, unless told otherwise.

    width, height, left, top: of the box, in parts of the image's sides, or in pixels where unit = "pixels". Without
    left or top it is centred along that side. In parts, sizes are rounded down and places to the nearest pixel. The
    field's box, since "Palette" (Saharia et al., 2022) and DPS, is 128 px of 256.
    """

    width: float = 0.5
    height: float = 0.5
    left: float | None = None
    top: float | None = None
    unit: str = "parts"

    def __post_init__(self) -> None:
        if self.unit not in ("parts", "pixels"):
            raise ValueError(f"There is no unit {self.unit!r} for a box: use parts or pixels.")
        numbers = [n for n in (self.width, self.height, self.left, self.top) if n is not None]
        if self.unit == "pixels" and not all(n >= 0 and n == int(n) for n in numbers):
            raise ValueError(f"The box is {numbers} in pixels: use whole numbers, 0 or more.")
        if self.unit == "parts" and not all(0 <= n <= 1 for n in numbers):
            raise ValueError(f"The box is {numbers} in parts of the image: use numbers from 0 to 1.")

    def _build(self, space: Space) -> Mask:
        rows, columns = self._span(self.top, self.height, space.height), self._span(self.left, self.width, space.width)
        if rows.start < 0 or columns.start < 0 or rows.stop > space.height or columns.stop > space.width:
            raise ValueError(
                f"The box spans rows {rows.start} to {rows.stop} and columns {columns.start} to {columns.stop}, but "
                f"the image is {space.width}x{space.height}: move it or make it smaller."
            )
        known = torch.ones(1, 1, space.height, space.width, dtype=torch.bool)
        known[..., rows, columns] = False
        if not known.any():
            raise ValueError("The box hides every pixel: make it smaller.")
        return Mask(space, known)

    def _span(self, start: float | None, size: float, whole: int) -> slice:
        scale = whole if self.unit == "parts" else 1
        size = int(size * scale + 1e-9)
        start = (whole - size) // 2 if start is None else int(start * scale + 0.5)
        return slice(start, start + size)

    def describe(self) -> str:
        left, top = ("centred" if at is None else f"{at:g}" for at in (self.left, self.top))
        return f"inpainting of a box, {self.width:g}x{self.height:g} {self.unit}, left {left}, top {top}"
