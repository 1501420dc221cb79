"""JPEG: the image was stored as one, and only the file is left."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..linalg.cosine_basis import cosines
from .base import Operator
from .colorization import LUMA
from .degradation import Degradation
from .quantization import straight_through
from .space import Space

# ITU-T T.81 (1992), Annex K, tables K.1 and K.2: steps for the 8 x 8 frequencies, vertical by horizontal.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
SUBSAMPLING = {"4:2:0": 2, "4:4:4": 1}
TIE = 1e-4  # Of flat blocks, numbers are often halfway between whole ones, but for the rounding of floating point.
ROUNDINGS = ("straight-through", "cubic")


@dataclass(frozen=True)
class JPEG(Degradation):
    """Compressed to a JPEG file of `quality` 1 to 100 and decoded again.

    Baseline JPEG as libjpeg makes and reads it, and with it Pillow and most programs: YCbCr of BT.601 in full range,
    the standard tables scaled by the quality, the border repeated to fill the last blocks. subsampling: 4:2:0 averages
    color over 2 x 2 pixels and interpolates it linearly on reading; 4:4:4 keeps all of it. An image of one channel is
    stored as a grey JPEG. For an image of 8 bits the result is that of the codec, but for coefficients about halfway
    between two steps, which its transform in whole numbers may round the other way.

    rounding: straight-through rounds coefficients to steps of the tables, and samples to whole numbers of 255 as a
    codec does, and takes the gradient of the identity. cubic replaces the rounding of a coefficient by the smooth
    r + (v - r)^3 with r = round(v) (Shin and Song, NIPS workshop on machine learning and computer security, 2017) and
    rounds nothing else: its gradient is its own, but no codec stores such images.
    """

    quality: int = 10
    subsampling: str = "4:2:0"
    rounding: str = "straight-through"

    def __post_init__(self) -> None:
        if self.quality not in range(1, 101):
            raise ValueError(f"The JPEG quality is {self.quality}: use a whole number from 1 to 100.")
        if self.subsampling not in SUBSAMPLING:
            raise ValueError(f"There is no subsampling {self.subsampling!r}: use one of {', '.join(SUBSAMPLING)}.")
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"There is no rounding {self.rounding!r}: use one of {', '.join(ROUNDINGS)}.")

    def _build(self, space: Space) -> Codec:
        if space.channels not in (1, 3):
            raise ValueError(f"The image has {space.channels} channels, but a JPEG has 1 or 3: give it as RGB or grey.")
        return Codec(space, self)

    def describe(self) -> str:
        rounding = "" if self.rounding == "straight-through" else f", {self.rounding} rounding"
        return f"JPEG, quality {self.quality}, {self.subsampling}{rounding}"


def quantization_table(base: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    """Steps [8, 8] for a quality of 1 to 100, as libjpeg scales a table: unchanged at 50, all ones at 100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((torch.tensor(base) * percent + 50) // 100).clamp(1, 255)


def luma_tables() -> Tensor:
    """Steps of luminance [100, 8, 8], for the qualities 1 to 100."""
    return torch.stack([quantization_table(LUMINANCE, quality) for quality in range(1, 101)])


class Codec(Operator):
    """Clipping to 0..255 too has the gradient of the identity, in both roundings: without it a pixel beyond white or
    black would get none to bring it back.
    """

    def __init__(self, space: Space, jpeg: JPEG):
        super().__init__(space, space.shape)
        device, dtype = space.device, space.dtype
        self.factor = SUBSAMPLING[jpeg.subsampling] if space.channels == 3 else 1
        self.cubic = jpeg.rounding == "cubic"
        self._basis = cosines(8).to(dtype).to(device)
        self._tables = [quantization_table(t, jpeg.quality).to(device, dtype) for t in (LUMINANCE, CHROMINANCE)]
        # libjpeg rounds up the halves of averaged and of enlarged color in every other column only.
        self._averaged, self._enlarged = torch.tensor([[1 / 4, 1 / 2], [1 / 2, 7 / 16]], dtype=dtype).to(device)

    def _forward(self, x: Tensor) -> Tensor:
        channels, height, width = self.image_shape
        block = 8 * self.factor
        x = 255 * _fill(x, -height % block, -width % block)
        luminance, chrominance = self._tables
        if channels == 1:
            return (self._code(self._whole(x) - 128, luminance)[..., :height, :width] + 128) / 255
        y, color = (self._whole(planes) for planes in to_ycc(x))
        y = self._code(y - 128, luminance)[..., :height, :width] + 128
        if self.factor == 2:
            color = self._whole(avg_pool2d(color, 2), self._averaged)
        color = self._code(color, chrominance)
        if self.factor == 2:
            color = self._whole(upsample(color[..., : (height + 1) // 2, : (width + 1) // 2]), self._enlarged)
        return _clip(self._whole(from_ycc(y, color[..., :height, :width])), 0, 255) / 255

    def _code(self, planes: Tensor, table: Tensor) -> Tensor:
        """Write and read planes [B, c, H, W] of -128..127, H and W multiples of 8.

        One product per row of blocks (bmm), never one over all rows, whose rounding would depend on the batch.
        """
        rows = planes.reshape(-1, 8, planes.shape[3])
        basis = self._basis.expand(len(rows), -1, -1)
        frequencies = torch.bmm(torch.bmm(basis, rows).reshape(len(rows), -1, 8), basis.mT)
        levels = frequencies.view(len(rows), 8, -1, 8) / table[:, None]
        whole = levels.sign() * (levels.abs() + (0.5 + TIE)).floor()
        levels = whole + (levels - whole) ** 3 if self.cubic else straight_through(whole, levels)
        frequencies = (levels * table[:, None]).view(len(rows), -1, 8)
        rows = torch.bmm(basis.mT, torch.bmm(frequencies, basis).view_as(rows))
        return _clip(self._whole(rows.view_as(planes)), -128, 127)

    def _whole(self, samples: Tensor, halves: Tensor | float = 0.5) -> Tensor:
        """Whole numbers. halves: what is added before rounding down, in even columns and odd ones if it is two."""
        if self.cubic:
            return samples
        if isinstance(halves, Tensor):
            width = samples.shape[3]
            halves = halves.repeat(width // 2 + 1)[:width]
        return straight_through((samples + halves + TIE).floor(), samples)

    def _initial_guess(self, y: Tensor) -> Tensor:
        """The decoded file."""
        return y


def to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance [B, 1, H, W] and color differences [B, 2, H, W], blue and red, about 0 (BT.601, full range)."""
    red, green, blue = rgb.split(1, 1)
    y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return y, torch.cat([(blue - y) / (2 - 2 * LUMA[2]), (red - y) / (2 - 2 * LUMA[0])], 1)


def from_ycc(y: Tensor, color: Tensor) -> Tensor:
    """Inverse of to_ycc."""
    red, blue = y + (2 - 2 * LUMA[0]) * color[:, 1:], y + (2 - 2 * LUMA[2]) * color[:, :1]
    return torch.cat([red, (y - LUMA[0] * red - LUMA[2] * blue) / LUMA[1], blue], 1)


def upsample(planes: Tensor) -> Tensor:
    """Twice as high and wide, each new pixel 3/4 of the nearest old one and 1/4 of the next; libjpeg only repeats
    planes of 1 or 2 px width."""
    if planes.shape[3] <= 2:
        return planes.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for side in (2, 3):
        first, last = planes.narrow(side, 0, 1), planes.narrow(side, -1, 1)
        n = planes.shape[side] - 1
        before = torch.cat([first, planes.narrow(side, 0, n)], side)
        after = torch.cat([planes.narrow(side, 1, n), last], side)
        halves = torch.stack([3 * planes + before, 3 * planes + after], side + 1)
        planes = halves.flatten(side, side + 1) / 4
    return planes


def _fill(x: Tensor, rows: int, columns: int) -> Tensor:
    """Repeat the last row and column. Not by torch's pad, whose gradient on GPUs adds up in any order."""
    x = torch.cat([x, x[..., -1:, :].expand(-1, -1, rows, -1)], 2)
    return torch.cat([x, x[..., -1:].expand(-1, -1, -1, columns)], 3)


def _clip(x: Tensor, low: float, high: float) -> Tensor:
    return straight_through(x.clamp(low, high), x)
