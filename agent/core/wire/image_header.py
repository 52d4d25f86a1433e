"""Reads an image's kind, size and completeness from its bytes before any decoder sees them:
decompression bombs and cut files stop here.

OpenCV decodes a cut JPEG without complaint, its lower part grey: a plate there would silently not
be seen.
"""

from agent.values import dataclass

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"

# The markers SOF0…SOF15 without DHT, JPG and DAC.
_JPEG_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """`width` and `height` in px as stored, before EXIF orientation.

    `complete`: the data's end is there. `colours`: of a JPEG, 1 for grey and 3 for colour; else 0.
    """

    kind: str
    width: int
    height: int
    complete: bool
    colours: int = 0


def kind_of(untrusted_head: bytes) -> str:
    """One of "JPEG", "PNG", "WebP", or "" for anything else, by the first 12 bytes; the file's name
    does not count.
    """
    if untrusted_head.startswith(JPEG_MAGIC):
        return "JPEG"
    if untrusted_head.startswith(PNG_MAGIC):
        return "PNG"
    if untrusted_head[:4] == b"RIFF" and untrusted_head[8:12] == b"WEBP":
        return "WebP"
    return ""


def parse(untrusted_data: bytes) -> ImageHeader | None:
    """The header of a JPEG, PNG or WebP; None where there is none to be found.

    Never raises on malformed bytes.
    """
    parser = {"JPEG": _jpeg, "PNG": _png, "WebP": _webp}.get(kind_of(untrusted_data))
    if parser is None:
        return None
    try:
        header = parser(untrusted_data)
    except IndexError:  # the header itself is cut
        return None
    return header if header and header.width > 0 and header.height > 0 else None


def number(
    data: bytes, start: int, length: int, order: str = "big", *, signed: bool = False
) -> int:
    """A whole number; raises IndexError past the end, where a slice would just be short."""
    if start + length > len(data):
        raise IndexError
    return int.from_bytes(
        data[start : start + length], "little" if order == "little" else "big", signed=signed
    )


def _jpeg(data: bytes) -> ImageHeader | None:
    """Walk the segments (a thumbnail inside EXIF is skipped with its segment) to the frame header
    and the first scan.
    """
    at, size, colours = 2, None, 0
    while True:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker == _JPEG_SCAN:
            # The end's bytes cannot occur inside a scan: there 0xFF is followed by 0x00.
            complete = data.find(_JPEG_END, at) >= 0
            return ImageHeader("JPEG", *size, complete, colours) if size else None
        else:
            if marker in _JPEG_FRAME_HEADERS and size is None:
                size = (number(data, at + 7, 2), number(data, at + 5, 2))
                colours = data[at + 9]
            at += 2 + max(2, number(data, at + 2, 2))


def _png(data: bytes) -> ImageHeader:
    """IHDR comes first by the standard; the file is complete when the chunks lead to IEND."""
    width, height, at = number(data, 16, 4), number(data, 20, 4), 8
    while at + 8 <= len(data):
        end = at + 12 + number(data, at, 4)
        if data[at + 4 : at + 8] == b"IEND":
            return ImageHeader("PNG", width, height, end <= len(data))
        at = end
    return ImageHeader("PNG", width, height, complete=False)


def _webp(data: bytes) -> ImageHeader | None:
    """The first chunk (lossy, lossless or extended) has the size; RIFF says how long the file
    is.
    """
    complete = len(data) >= 8 + number(data, 4, 4, "little")
    chunk = data[12:16]
    if chunk == b"VP8X":
        return ImageHeader(
            "WebP", 1 + number(data, 24, 3, "little"), 1 + number(data, 27, 3, "little"), complete
        )
    if chunk == b"VP8L":
        bits = number(data, 21, 4, "little")
        return ImageHeader("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), complete)
    if chunk == b"VP8 ":
        return ImageHeader(
            "WebP",
            number(data, 26, 2, "little") & 0x3FFF,
            number(data, 28, 2, "little") & 0x3FFF,
            complete,
        )
    return None
