"""Photos of any kind become upright 8-bit RGB; PNG files get text and profiles."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from maprps.launch import pictures, png

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def stored(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def colors():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_values_stay_as_they_are(colors, kind, mode):
    picture = colors.convert(mode)
    assert np.array_equal(pictures.upright(stored(picture, kind)), picture.convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(colors, orientation):
    """Of Exif 2.32, section 4.6.4: where row 0 and column 0 of what is stored belong."""
    turns = [lambda a: a, np.fliplr, lambda a: np.rot90(a, 2), np.flipud, lambda a: a.transpose(1, 0, 2)]
    turns += [lambda a: np.rot90(a, -1), lambda a: np.rot90(a, 2).transpose(1, 0, 2), np.rot90]
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = pictures.upright(stored(colors, exif=exif))
    assert np.array_equal(picture, turns[orientation - 1](np.asarray(colors)))
    again = pictures.upright(stored(picture, **picture.info))
    assert np.array_equal(again, picture)


def test_sixteen_bits_are_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = pictures.upright(stored(Image.fromarray(values)))
    assert np.array_equal(np.asarray(picture)[..., 0], np.floor(values / 257 + 0.5))


def test_first_of_several_pictures(colors):
    data = stored(colors, "TIFF", save_all=True, append_images=[Image.new("RGB", (3, 3))])
    assert np.array_equal(pictures.upright(data), colors)


def test_profile_of_red_green_and_blue_is_kept(colors):
    picture = pictures.upright(stored(colors, icc_profile=SRGB))
    assert picture.info["icc_profile"] == SRGB and np.array_equal(picture, colors)


def test_other_profile_is_taken_into_account(colors):
    """Lab: the only one that Pillow can make, and in which the values mean something else than in RGB."""
    lab = ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    smooth = Image.new("RGB", (7, 5), (200, 120, 90))
    picture = ImageCms.applyTransform(smooth, to_lab)
    data = stored(picture, "TIFF", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    found = pictures.upright(data)
    assert "icc_profile" not in found.info
    # Lab is stored in steps of one unit of color difference, which is at most a few steps of RGB.
    assert np.abs(np.asarray(found, int) - np.asarray(smooth, int)).max() <= 3


def test_psnr_is_that_of_the_metrics(colors):
    import torch

    from maprps.evaluation import psnr

    other = Image.fromarray(np.asarray(colors) // 2)
    tensors = [torch.from_numpy(np.array(picture, np.float32) / 255)[None] for picture in (colors, other)]
    assert pictures.psnr(colors, other) == pytest.approx(float(psnr(*tensors)), rel=1e-6)
    assert pictures.psnr(colors, colors) == float("inf")
    with pytest.raises(ValueError, match="7 x 5 and the reference 2 x 3"):
        pictures.psnr(colors, Image.new("RGB", (2, 3)))


def test_what_is_wrong_is_said_in_a_line(tmp_path):
    with pytest.raises(Exception) as caught:
        pictures.upright(b"no picture")
    assert "not a picture" in pictures.why(caught.value)
    with pytest.raises(Exception) as caught:
        pictures.upright(stored(Image.effect_noise((64, 64), 99))[:999])
    assert pictures.why(caught.value).count("\n") == 0


def test_png_gets_text_and_the_photos_profile(colors, tmp_path):
    photo = stored(Image.new("RGB", (2, 2)), icc_profile=SRGB)
    file = tmp_path / "result.png"
    file.write_bytes(png.like_photo(stored(colors), photo, "key", "größer\n2"))
    assert png.read_text(file, "key") == "größer\n2"
    assert png.read_text(file, "other") is None
    with Image.open(file) as result:
        assert np.array_equal(result, colors)
        assert result.info["icc_profile"] == SRGB and result.text == {"key": "größer\n2"}


def test_half_a_png_is_no_png(colors, tmp_path):
    whole = stored(colors)
    for data in (b"", b"GIF89a", whole[:-1], whole[:40]):
        with pytest.raises(ValueError):
            png.like_photo(data, whole, "key", "text")
        (tmp_path / "file.png").write_bytes(data)
        assert png.read_text(tmp_path / "file.png", "key") is None
