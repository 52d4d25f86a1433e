"""Frames from a video file, decoded by PyAV (FFmpeg's libraries) with every protocol but local
files switched off.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Disposition, Stream
from numpy.typing import NDArray

from agent.camera.video_ends import USUAL_RATE, Came, promise_of
from agent.core.camera.camera_event import CameraEvent, Tell, nobody
from agent.core.reading.sighting import Frame, Image
from agent.core.time.instant import Instant
from agent.errors import SourceError
from agent.ports import Clock

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mjpeg", ".mjpg"}
    | {".h264", ".264", ".h265", ".265", ".hevc"}  # bare streams, as a Pi's recorder writes them
)

# A playlist or a `concat` script dressed up as a video could make FFmpeg open other files or hosts:
# neither protocol nor format is allowed.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mjpeg,h264,hevc",
}
MAX_DURATION_S = 366 * 86_400  # a longer time stamp is damage, and could overflow the clock


class DamageError(Exception):
    """A packet or frame is marked as damaged, or missing.

    Stays within this file: becomes a SourceError with a frame number.
    """


def _further_tracks(name: str, more: int) -> CameraEvent:
    return CameraEvent(
        "tracks",
        f"{name}: {more} more video track{'s' * (more > 1)} in this file, not read: "
        "save each as a file of its own",
        {"tracks": more + 1},
    )


class VideoSource:
    """Implements ports.FrameSource over one video file.

    `captured` = the clock's time at the first frame + the frame's own time stamp.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        clock: Clock,
        max_pixels: int,
        *,
        pace: bool = False,
        tell: Tell = nobody,
    ) -> None:
        """`name`: reported in `Frame.file` as `name#000123`.

        `pace`: deliver at the video's own speed instead of as fast as asked for. `tell`: hears of
        further tracks, which are not played.
        """
        self._path = path
        self._name = name
        self._clock = clock
        self._max_pixels = max_pixels
        self._pace = pace
        self._closed = self._playing = False
        self._container = self._open()
        self._stream = self._tracks()[0]
        if more := len(self._tracks()) - 1:
            tell(_further_tracks(name, more))

    def frames(self) -> Iterator[Frame]:
        """Every frame, in order of presentation.

        Raises SourceError, after the good frames, at the first frame that is cut or damaged.
        """
        start, begun_s, offset_s = self._clock.now(), self._clock.monotonic_s(), 0.0
        self._playing = True
        try:
            for sequence, (stamp_s, image) in enumerate(self._images()):
                offset_s = max(offset_s, stamp_s)
                if self._pace:
                    self._clock.sleep(max(0.0, begun_s + offset_s - self._clock.monotonic_s()))
                if not offset_s <= MAX_DURATION_S:  # so that NaN ends it too
                    raise self._cut(sequence)
                captured = Instant(
                    start.utc + timedelta(milliseconds=round(offset_s * 1000)), start.trust
                )
                yield Frame(image, captured, sequence, f"{self._name}#{sequence:06d}")
                if self._closed:
                    return
        finally:
            self._playing = False
            self._container.close()

    def close(self) -> None:
        """End the frames and close the file.

        While a frame is out, the file is closed at the next step: PyAV crashes when it is closed
        under a decoder.
        """
        self._closed = True
        if not self._playing:
            self._container.close()

    def _open(self) -> "InputContainer":
        # FFmpeg decodes a little already to open: a huge picture must not get its memory.
        decoder_options = {"max_pixels": str(self._max_pixels)}
        if not self._path.is_file():
            raise SourceError("no such file", where=self._path, fix="check the path")
        if not hasattr(Stream, "index_entries"):
            # Debian 13's python3-av: a whole video cannot be told from a cut one
            raise self._error(
                f"videos need PyAV 18, and {av.__version__} is installed",
                "pip install 'platewarden[camera]'",
            )
        try:
            container = av.open(f"file:{self._path}", options=_OPEN_OPTIONS | decoder_options)
        except Exception as error:  # noqa: BLE001 - PyAV raises ValueError and others beside its own
            why = getattr(error, "strerror", None) or type(error).__name__
            raise self._error(
                f"not a video that can be read: {why}",
                "give an MP4, MOV, MKV, WebM, AVI, TS, MJPEG or H.264 file; "
                "if it is one, it is damaged or cut short",
            ) from None
        self._container = container
        if not self._tracks():
            container.close()
            raise self._error("there is no picture in this file", "give a video")
        context = self._tracks()[0].codec_context
        if context is None:
            container.close()  # type: ignore[unreachable]  # PyAV's types do not know it
            raise self._error("there is no codec here for its pictures", "save it as MP4 (H.264)")
        context.options = decoder_options
        # One thread, so that decoding never runs beside the reading of a frame, and is never
        # counted into it.
        context.thread_count = 1
        self._check_size(context.width, context.height)
        return container

    def _tracks(self) -> "list[VideoStream]":
        """The moving pictures; a cover or a thumbnail is none."""
        return [
            track
            for track in self._container.streams.video
            if not track.disposition & Disposition.attached_pic
        ]

    def _images(self) -> Iterator[tuple[float, Image]]:
        """(seconds since the first frame, picture)."""
        stream = self._stream
        delivered, first_s = 0, None
        try:
            for decoded in _good_frames(self._container, stream, self._path):
                self._check_size(decoded.width, decoded.height)
                stamp_s = (
                    decoded.time
                    if decoded.pts is not None
                    else delivered / float(stream.average_rate or USUAL_RATE)
                )
                first_s = stamp_s if first_s is None else first_s
                yield (
                    stamp_s - first_s,
                    _upright(decoded.to_ndarray(format="bgr24"), _display_matrix(decoded)),
                )
                delivered += 1
        except SourceError:
            raise
        except Exception:  # noqa: BLE001 - FFmpeg reports odd files in many ways; each is this file's own end
            raise self._cut(delivered) from None
        if not delivered:
            raise self._cut(delivered)

    def _check_size(self, width: int, height: int) -> None:
        # A size of 0 means that FFmpeg itself kept to the limit and looked no further.
        if not 0 < width * height <= self._max_pixels:
            size = f"{width}×{height} px" if width else "the picture's size"
            raise self._error(
                f"{size}: larger than the limit of {self._max_pixels:,} px",
                "scale it down, or raise limits.max_source_pixels",
            )

    def _cut(self, frame: int) -> SourceError:
        return self._error(
            f"the video ends early or is damaged at frame {frame}",
            "copy it again; the frames before it were delivered",
        )

    def _error(self, what: str, fix: str) -> SourceError:
        return SourceError(what, where=self._path, fix=fix)


def _good_frames(
    container: "InputContainer", stream: "VideoStream", path: Path
) -> "Iterator[VideoFrame]":
    """Every whole frame before the first damage, then DamageError or FFmpegError; also when less
    came than the container promises.
    """
    promise, came = promise_of(container, stream, path), Came()
    for packet in container.demux(stream):
        if packet.size:
            came.add(packet)
        frames, damage = _decode(packet, stream)
        yield from frames
        if damage:
            raise damage
    if came.less_than(promise, stream):
        raise DamageError


def _decode(
    packet: "Packet[VideoStream]", stream: "VideoStream"
) -> "tuple[list[VideoFrame], Exception | None]":
    """The frames of one packet up to the first damaged one; at a damaged packet, those that the
    decoder still held.
    """
    frames: list[VideoFrame] = []
    damage: Exception | None = DamageError() if packet.is_corrupt else None
    try:
        frames = stream.codec_context.decode(None) if damage else packet.decode()
    except av.error.FFmpegError as error:
        damage = error
        with suppress(av.error.FFmpegError):
            frames = stream.codec_context.decode(None)
    whole = list(takewhile(lambda frame: not frame.is_corrupt, frames))
    return whole, damage or (DamageError() if len(whole) < len(frames) else None)


def _display_matrix(frame: "VideoFrame") -> NDArray[np.int64]:
    """2×2 of -1, 0 and 1: how the file says that its pictures are to be turned and mirrored.

    `frame.rotation` cannot tell a mirror from a turn (findings/mirrored-video.sh).
    """
    try:
        # PyAV's types know of motion vectors only.
        stored = memoryview(frame.side_data["DISPLAYMATRIX"])  # type: ignore[typeddict-item]
    except KeyError:
        return np.eye(2, dtype=np.int64)
    return np.sign(np.frombuffer(stored, np.int32).reshape(3, 3)[:2, :2]).astype(np.int64)


def _upright(image: "np.ndarray", matrix: NDArray[np.int64]) -> Image:
    """A column is shown at a·column + c·row, a row at b·column + d·row (ISO 14496-12, 6.2.2), as a
    phone writes it. Another angle than quarters of a turn is left as it is.
    """
    (a, b), (c, d) = matrix.tolist()
    if not a and not d and b and c:
        image, a, d = np.swapaxes(image, 0, 1), c, b
    elif b or c:
        a, d = 1, 1
    return np.ascontiguousarray(image[:: d or 1, :: a or 1], np.uint8)
