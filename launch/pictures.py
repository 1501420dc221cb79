"""Reads photos of any kind. Runs in a Python that has Pillow, as ComfyUI's has:

    python pictures.py upright < PHOTO > PHOTO.png    what is restored: one upright picture in 8-bit RGB
    python pictures.py psnr < PAIRS > NUMBERS         JSON: [[result, reference], ...] becomes [PSNR in dB, ...]

The PNG keeps the photo's color profile and EXIF data. Its values are the photo's own, so that the profile stays true;
only where the profile is not one of red, green and blue (gray, CMYK) they are converted to sRGB. What goes wrong with a
photo is said in a line on stderr, with exit status 1; what goes wrong with a pair takes the place of its number.
"""

import io
import json
import math
import sys
from pathlib import Path

from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat, UnidentifiedImageError

_ORIENTATION, _EXIF_IFD, _SIZE_TAGS = 0x0112, 0x8769, (0xA002, 0xA003)


def upright(data: bytes) -> Image.Image:
    """The first picture in a file, as RGB; its info holds "icc_profile" and "exif" where the photo has them."""
    photo = Image.open(io.BytesIO(data))
    profile = photo.info.get("icc_profile")
    exif = photo.getexif()
    picture = ImageOps.exif_transpose(photo)
    if picture.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would clip
        picture = picture.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if profile and profile[16:20] != b"RGB ":  # the profile's color space (ICC.1, section 7.2)
        picture, profile = _in_srgb(picture, profile), None
    picture = picture.convert("RGB")
    picture.info = {"icc_profile": profile} if profile else {}
    if exif:
        exif.pop(_ORIENTATION, None)
        if _EXIF_IFD in exif:
            for tag in _SIZE_TAGS:  # the result's may be another
                exif.get_ifd(_EXIF_IFD).pop(tag, None)
        picture.info["exif"] = exif.tobytes()
    return picture


def psnr(result: Image.Image, reference: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB, over all pixels and channels. ValueError: the sizes differ."""
    if result.size != reference.size:
        sizes = " and the reference ".join(f"{picture.width} x {picture.height}" for picture in (result, reference))
        raise ValueError(f"the result is {sizes} pixels")
    squares = sum(ImageStat.Stat(ImageChops.difference(result, reference)).sum2)
    return 10 * math.log10(255**2 * 3 * result.width * result.height / squares) if squares else math.inf


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    try:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, io.BytesIO(profile), srgb, outputMode="RGB") or picture
    except ImageCms.PyCMSError:  # broken, or of another kind of picture
        return picture


def why(error: Exception) -> str:
    """What is wrong with a photo, in a line."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture that can be read"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def psnr_or_why(files: list[str]) -> float | str:
    try:
        return psnr(*(upright(Path(file).read_bytes()) for file in files))
    except Exception as error:
        return why(error)


def main(command: str) -> None:
    if command == "psnr":
        print(json.dumps([psnr_or_why(pair) for pair in json.load(sys.stdin)]))
        return
    try:
        picture = upright(sys.stdin.buffer.read())
    except Exception as error:  # Pillow raises SyntaxError, struct.error and more at broken files
        sys.exit(why(error))
    # Fast to write and to read: it goes to a server, and is not kept.
    kept = {name: picture.info.get(name) for name in ("icc_profile", "exif")}
    picture.save(sys.stdout.buffer, "PNG", compress_level=1, **kept)


if __name__ == "__main__":
    main(*sys.argv[1:])
