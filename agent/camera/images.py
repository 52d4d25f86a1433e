"""Frames from image files: one image, or all images in a folder and its sub-folders, sorted by
path.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from agent import boundary
from agent.camera import photo_header
from agent.core.reading.sighting import Frame, Image
from agent.core.time.instant import Instant
from agent.core.wire import image_header
from agent.errors import SourceError
from agent.ports import Clock

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp"}
)
_KINDS = "JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP"
# No picture within the pixel limit needs more; a longer file is not read into memory at all.
BYTES_PER_PIXEL_AT_MOST, BYTES_FOR_METADATA = 8, 16_000_000


class ImageSource:
    """Implements ports.FrameSource over image files.

    A file says nothing reliable about its time: `captured` is the clock's at delivery.

    With `frames_per_second` the files are a clip that ends as it is opened: evenly spaced, and the
    same on a slow machine as on a fast one.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, str]],
        clock: Clock,
        max_pixels: int,
        frames_per_second: float | None = None,
    ) -> None:
        """`files`: each with the name to report in `Frame.file`."""
        self._files, self._clock, self._max_pixels = files, clock, max_pixels
        self._interval_s = 1.0 / frames_per_second if frames_per_second else None
        self._closed = False

    def frames(self) -> Iterator[Frame]:
        """One frame a file.

        The first file that cannot be decoded ends the run: raises SourceError.
        """
        opened = self._clock.now()
        for sequence, (path, name) in enumerate(self._files):
            if self._closed:
                return
            yield Frame(
                load_image(path, self._max_pixels), self._captured(opened, sequence), sequence, name
            )

    def _captured(self, opened: Instant, sequence: int) -> Instant:
        if self._interval_s is None:
            return self._clock.now()
        before_end_ms = round((len(self._files) - 1 - sequence) * self._interval_s * 1000)
        return Instant(opened.utc - timedelta(milliseconds=before_end_ms), opened.trust)

    def close(self) -> None:
        """End the frames; nothing stays open between them."""
        self._closed = True


def find_files(folder: Path, suffixes: frozenset[str] | None) -> list[tuple[Path, str]]:
    """Every file below `folder` with one of these suffixes, or with any (None): (path, path
    relative to the folder with `/`), sorted.

    Links to folders are not followed.
    """
    found = []
    for here, _folders, names in os.walk(folder):
        for name in names:
            path = Path(here, name)
            if suffixes is None or path.suffix.lower() in suffixes:
                found.append((path, path.relative_to(folder).as_posix()))
    return sorted(found, key=lambda file: Path(file[1]).parts)


@boundary.document("image", error=SourceError)
def load_image(path: Path, max_pixels: int) -> Image:
    """Decode one picture (_KINDS) to H×W×3 BGR, turned upright as its header asks.

    Raises SourceError, naming the file and the next step: missing, empty, not an image, larger than
    `max_pixels`, cut short, damaged. A JPEG damaged in its middle, with its end in place, cannot be
    told from a whole one: that is a limit.
    """
    untrusted_data = _read_bounded(path, max_pixels)
    header = image_header.parse(untrusted_data) or photo_header.parse(untrusted_data)
    if header is None:
        raise SourceError(
            "not an image that can be read",
            where=path,
            fix=f"give a {_KINDS} file; if it is one, its header is damaged",
        )
    if " " in header.kind:
        raise SourceError(
            f"a {header.kind}: which picture is meant is not clear",
            where=path,
            fix="save each picture as a file of its own",
        )
    if header.width * header.height > max_pixels:
        raise _too_large(f"{header.width}×{header.height} px", path, max_pixels)
    if not header.complete:
        raise SourceError(
            f"the {header.kind} is cut short",
            where=path,
            fix="copy it again from where it came from",
        )
    image = _decode(untrusted_data, header.kind, path)
    if image is None:
        raise SourceError(
            f"the {header.kind} is damaged and cannot be decoded",
            where=path,
            fix="copy it again from where it came from",
        )
    # The decoder believed another header than we did.
    if image.shape[0] * image.shape[1] > max_pixels:
        raise _too_large(f"{image.shape[1]}×{image.shape[0]} px", path, max_pixels)
    return np.asarray(image, np.uint8)


def _decode(untrusted_data: bytes, kind: str, path: Path) -> Image | None:
    """BGR, upright; None for what the decoder does not take. Raises SourceError where there is no
    decoder.
    """
    if kind == "HEIC":
        return _decode_heic(untrusted_data, path)
    try:
        image = cv2.imdecode(np.frombuffer(untrusted_data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _decode_heic(untrusted_data: bytes, path: Path) -> Image | None:
    """An iPhone's pictures. OpenCV has no decoder for them; libheif turns them upright itself."""
    try:
        import pi_heif
    except ModuleNotFoundError:
        raise SourceError(
            "a HEIC picture, for which this installation has no decoder",
            where=path,
            fix="pip install 'platewarden[demo]' brings it; or save the picture as JPEG",
        ) from None
    try:
        picture = pi_heif.open_heif(untrusted_data, convert_hdr_to_8bit=True)
        rgb = np.asarray(picture)[:, :, :3]
    except Exception:  # noqa: BLE001 - whatever libheif says of a stranger's file
        return None
    return np.ascontiguousarray(rgb[:, :, ::-1], np.uint8)


def _read_bounded(path: Path, max_pixels: int) -> bytes:
    """The file's bytes.

    Devices, pipes and folders are no images: reading them could block or never end.
    """
    limit = max_pixels * BYTES_PER_PIXEL_AT_MOST + BYTES_FOR_METADATA
    if not path.exists():
        raise SourceError("no such file", where=path, fix="check the path")
    if not path.is_file():
        raise SourceError("not a regular file", where=path, fix="give an image file")
    try:
        with path.open("rb") as file:
            untrusted_data = file.read(limit + 1)
    except OSError as error:
        raise SourceError(
            f"cannot be read: {error.strerror}",
            where=path,
            fix="check its permissions and the disk",
        ) from None
    if not untrusted_data:
        raise SourceError(
            "the file is empty", where=path, fix="copy it again from where it came from"
        )
    if len(untrusted_data) > limit:
        raise _too_large(f"more than {limit:,} bytes", path, max_pixels)
    return untrusted_data


def _too_large(what: str, path: Path, max_pixels: int) -> SourceError:
    return SourceError(
        f"{what}: larger than the limit of {max_pixels:,} px",
        where=path,
        fix="scale it down, or raise limits.max_source_pixels",
    )
