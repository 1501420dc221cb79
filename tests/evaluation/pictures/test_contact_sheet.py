"""Every pixel of an image is found on the sheet, where it belongs."""

import pytest
import torch

from maprps.evaluation.pictures import contact_sheet


def find(sheet, block):
    """(top, left) of the only place where `block` [h, w, 3] lies in the sheet [1, H, W, 3], bit for bit."""
    sheet, (height, width, _) = sheet[0], block.shape
    starts = (sheet[: len(sheet) - height + 1, : sheet.shape[1] - width + 1] == block[0, 0]).all(dim=-1).nonzero()
    found = [(y, x) for y, x in starts.tolist() if torch.equal(sheet[y : y + height, x : x + width], block)]
    assert len(found) == 1
    return found[0]


def enlarged(image, factor):
    return image.repeat_interleave(factor, 0).repeat_interleave(factor, 1)


def test_pixels_are_unchanged_and_in_rows():
    images = [torch.rand(200, 260, 3) for _ in range(6)]
    sheet = contact_sheet(images, [f"image {k}\nPSNR 28.3 dB" for k in range(6)])
    places = [find(sheet, image) for image in images]
    tops, lefts = sorted({y for y, _ in places}), sorted({x for _, x in places})
    assert places == [(y, x) for y in tops for x in lefts]
    assert (len(tops), len(lefts)) == (2, 3)
    assert tops[1] - tops[0] > 200 + 30  # room for two lines
    assert lefts[2] - lefts[1] == lefts[1] - lefts[0] >= 260


def test_a_measurement_is_enlarged_by_a_whole_factor():
    image, measurement, odd = torch.rand(240, 320, 3), torch.rand(60, 80, 3), torch.rand(100, 90, 3)
    sheet = contact_sheet([image, measurement, odd], ["image", "measurement", "odd"])
    top, left = find(sheet, image)
    assert find(sheet, enlarged(measurement, 4))[0] == top
    assert find(sheet, enlarged(odd, 2))[0] == top + 40  # all stand on one line
    assert sheet.shape[1] < 240 + 100
    assert left < 40


def test_small_images_are_all_enlarged():
    images = [torch.rand(64, 48, 3), torch.rand(16, 12, 3)]
    sheet = contact_sheet(images, ["image", "measurement"])
    find(sheet, enlarged(images[0], 3))
    find(sheet, enlarged(images[1], 12))


def test_gray_alpha_and_values_outside_the_range():
    gray, rgba = 3 * torch.rand(200, 200, 1) - 1, torch.rand(200, 200, 4)
    sheet = contact_sheet([gray, rgba], ["gray", "alpha"])
    find(sheet, gray.clamp(0, 1).expand(200, 200, 3))
    find(sheet, rgba[..., :3])


@pytest.mark.parametrize(
    ("count", "columns", "grid"),
    [(1, None, (1, 1)), (4, None, (1, 4)), (5, None, (2, 3)), (16, None, (4, 4)), (3, 2, (2, 2))],
)
def test_rows_and_columns(count, columns, grid):
    images = [torch.rand(200, 210, 3) for _ in range(count)]
    sheet = contact_sheet(images, ["name"] * count, columns)
    places = [find(sheet, image) for image in images]
    assert (len({y for y, _ in places}), len({x for _, x in places})) == grid


def test_captions_are_drawn_under_their_image_and_fit():
    images = [torch.ones(200, 200, 3), torch.ones(200, 200, 3)]
    plain = contact_sheet(images, ["", ""])
    sheet = contact_sheet(images, ["", "a name that is a good deal wider than the image"])
    ink = (sheet[0].mean(dim=-1) < 0.4).nonzero()
    top, left = ink.min(dim=0).values.tolist()
    bottom, right = ink.max(dim=0).values.tolist()
    assert sheet.shape[2] > plain.shape[2]
    assert 200 < top < bottom < sheet.shape[1] - 4
    assert sheet.shape[2] / 2 < left < right < sheet.shape[2] - 4
    assert right - left > 200
