"""PNG files as the chunks that they are made of (PNG specification, third edition, section 5).

Text, a color profile and EXIF data go in without a pixel being touched.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_THE_PHOTO = (b"iCCP", b"eXIf")


def like_photo(result: bytes, photo: bytes, keyword: str, text: str) -> bytes:
    """The PNG `result` with the color profile and the EXIF data of the PNG `photo`, and with a text in the
    place of what it has under that keyword.

    All go before the pixels, where the profile has to be and the text is found without reading the rest. ValueError:
    one of the two is not a whole PNG.
    """
    head, *rest = _chunks(result)
    taken = [chunk for chunk in _chunks(photo) if chunk[0] in _OF_THE_PHOTO]
    start = _start(keyword)
    kept = [(kind, body) for kind, body in rest if kind not in _OF_THE_PHOTO and not body.startswith(start)]
    note = b"iTXt", start + text.encode()
    return _SIGNATURE + b"".join(_packed(*chunk) for chunk in [head, *taken, note, *kept])


def read_text(file: Path, keyword: str) -> str | None:
    """The text that `like_photo` has put into a file; None where there is none, or the file is no PNG."""
    start = _start(keyword)
    with file.open("rb") as stream:
        if stream.read(8) != _SIGNATURE:
            return None
        while len(head := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                return None
            body = stream.read(length)
            stream.read(4)  # the checksum
            if kind == b"iTXt" and body.startswith(start):
                return body[len(start) :].decode(errors="replace")
    return None


def _start(keyword: str) -> bytes:
    """Of an iTXt chunk: keyword, not compressed, no language, no translated keyword; then comes the text in UTF-8."""
    return keyword.encode() + b"\0\0\0\0\0"


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of every chunk."""
    position, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        content = data[position + 8 : position + 8 + length]
        if not kind.isalpha() or len(data) < position + 12 + length or not data.startswith(_SIGNATURE):
            raise ValueError("this is not a whole PNG file")
        position += 12 + length
        yield kind, content


def _packed(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
