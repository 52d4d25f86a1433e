"""The headers of what phones, scanners and old tools write: HEIC, AVIF, TIFF, BMP. As for JPEG
(core.wire.image_header), size and completeness are known before any decoder sees the bytes.
"""

from collections.abc import Iterator

from agent.core.wire.image_header import ImageHeader, number

_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
_AVIF = frozenset({b"avif"})
_SEQUENCES = frozenset({b"hevc", b"hevx", b"msf1", b"avis"})
_FULL_BOX = 4  # version and flags, ISO 14496-12, 4.2
_TIFF = {b"II*\x00": "little", b"MM\x00*": "big"}
_IFD_ENTRY, _MOST_PAGES = 12, 64
_SUBFILE, _WIDTH, _HEIGHT, _STRIPS, _STRIP_BYTES = 254, 256, 257, 273, 279
_TILES, _TILE_BYTES = 324, 325
_TYPE_BYTES = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG: what sizes and offsets are written in


def parse(untrusted_data: bytes) -> ImageHeader | None:
    """The header of a HEIC, AVIF, TIFF or BMP; None where there is none to be found. A sequence or
    a TIFF of several pages has `kind` "HEIC sequence", "TIFF of several pages".

    Never raises on malformed bytes.
    """
    try:
        if untrusted_data[4:8] == b"ftyp":
            header = _heif(untrusted_data)
        elif untrusted_data[:4] in _TIFF:
            header = _tiff(untrusted_data)
        elif untrusted_data[:2] == b"BM":
            header = _bmp(untrusted_data)
        else:
            return None
    except (IndexError, ValueError):  # the header itself is cut, or nonsense
        return None
    return header if header and header.width > 0 and header.height > 0 else None


def _bmp(data: bytes) -> ImageHeader:
    """A negative height means that the first row is the top one."""
    size, width = number(data, 2, 4, "little"), number(data, 18, 4, "little", signed=True)
    height = abs(number(data, 22, 4, "little", signed=True))
    return ImageHeader("BMP", width, height, size <= len(data))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, where its content begins, where it ends) of ISO 14496-12's boxes. One that goes beyond
    `end` is given as it says, and is the last.
    """
    at = start
    while at + 8 <= end:
        size, kind, begins = number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, begins = number(data, at + 8, 8), at + 16
        if size == 0:
            size = end - at
        if size < begins - at:
            raise ValueError
        yield kind, begins, at + size
        at += size


def _inside(data: bytes, path: tuple[bytes, ...], start: int, end: int) -> Iterator[int]:
    """Where the content of each box on this path begins."""
    for kind, begins, ends in _boxes(data, start, end):
        if kind != path[0]:
            continue
        if len(path) == 1:
            yield begins
        else:
            inner = begins + (_FULL_BOX if kind == b"meta" else 0)
            yield from _inside(data, path[1:], inner, min(ends, end))


def _heif(data: bytes) -> ImageHeader | None:
    """ISO 23008-12. The picture is the largest of the sizes that are there: the others are those of
    tiles, thumbnails and depth maps.
    """
    kind, brands = "", b""
    for box, begins, ends in _boxes(data, 0, len(data)):
        if box == b"ftyp":
            brands = data[begins : min(ends, len(data))]
        last = ends
    found = {brands[at : at + 4] for at in range(0, len(brands), 4)}
    major = brands[:4]
    if major in _SEQUENCES:
        kind = "HEIC sequence"
    elif major in _AVIF or found & _AVIF:
        kind = "AVIF"
    elif major in _HEIC or found & _HEIC:
        kind = "HEIC"
    else:
        return None  # a video, most likely
    sizes = [
        (number(data, at + _FULL_BOX, 4), number(data, at + _FULL_BOX + 4, 4))
        for at in _inside(data, (b"meta", b"iprp", b"ipco", b"ispe"), 0, len(data))
    ]
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return ImageHeader(kind, width, height, last <= len(data))


def _tiff(data: bytes) -> ImageHeader | None:
    """TIFF 6.0, section 2. Complete when the strips or tiles of the first page are there."""
    order = _TIFF[data[:4]]
    try:
        pages = list(_pages(data, order))
    except IndexError:
        # the directory, where the size stands, is often at the end: that is what is missing
        return ImageHeader("TIFF", 1, 1, complete=False)
    if not pages:
        return None
    first = pages[0]
    several = sum(not page.get(_SUBFILE, [0])[0] & 1 for page in pages) > 1  # bit 0: a thumbnail
    ends = [
        start + length
        for starts, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES))
        for start, length in zip(first.get(starts, []), first.get(lengths, []), strict=False)
    ]
    complete = bool(ends) and max(ends) <= len(data)
    kind = "TIFF of several pages" if several else "TIFF"
    return ImageHeader(kind, first[_WIDTH][0], first[_HEIGHT][0], complete)


def _pages(data: bytes, order: str) -> Iterator[dict[int, list[int]]]:
    """The whole numbers of each page's directory, by tag."""
    at, seen = number(data, 4, 4, order), set[int]()
    while at and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        count = number(data, at, 2, order)
        entries = range(at + 2, at + 2 + count * _IFD_ENTRY, _IFD_ENTRY)
        page = {number(data, entry, 2, order): _values(data, entry, order) for entry in entries}
        if _WIDTH not in page or _HEIGHT not in page:
            raise ValueError
        yield page
        at = number(data, at + 2 + count * _IFD_ENTRY, 4, order)


def _values(data: bytes, entry: int, order: str) -> list[int]:
    kind, count = number(data, entry + 2, 2, order), number(data, entry + 4, 4, order)
    size = _TYPE_BYTES.get(kind, 0)
    if not size or not count:
        return [0]
    inline = size * count <= 4
    start = entry + 8 if inline else number(data, entry + 8, 4, order)
    if start + size * count > len(data):
        raise IndexError
    return [number(data, at, size, order) for at in range(start, start + size * count, size)]
