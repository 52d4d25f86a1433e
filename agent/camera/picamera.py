"""Frames from a Raspberry Pi camera by picamera2: two streams, every wait bounded, a stalled camera revived or reported."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from threading import Thread
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.instant import Instant
from agent.core.sighting import Frame, Image
from agent.errors import SourceError
from agent.ports import Clock
from agent.settings import Camera

LORES_WIDTH = 640  # px; the second stream, scaled by the camera's own hardware, for finding plates (docs/design/frame-sources.md)
BUFFERS = 4
CLOSE_WAIT_S = 5.0
MOST_PLAUSIBLE_AGE_S = 60.0
NANOSECONDS = 1_000_000_000

Buffer = NDArray[np.uint8]


class PicameraSource:
    """Implements ports.FrameSource over the first camera. `Frame.image` is the main stream; `captured` comes from the sensor's own time stamp.

    Needs a clock whose `monotonic_s` is CLOCK_BOOTTIME, the clock that libcamera stamps with. Never ends by itself.
    """

    def __init__(self, settings: Camera, clock: Clock, library: Callable[[], Any] | None = None) -> None:
        """Opens and starts the camera; raises SourceError. `library`: gives the module picamera2; tests give another."""
        self._settings, self._clock = settings, clock
        self._library = (library or _import_picamera2)()
        self._closed = False
        self._camera = self._open()

    def frames(self) -> Iterator[Frame]:
        """Newest frames. Raises SourceError when the camera stays stalled after both rungs of the ladder (see `_next_request`)."""
        sequence = 0
        while not self._closed:
            request = self._next_request()
            try:
                image, captured = to_bgr(request.make_buffer("main"), request.config["main"]), self._captured(request.get_metadata())
            finally:
                request.release()  # the buffer goes back to the camera; what we keep is a copy
            yield Frame(image, captured, sequence)
            sequence += 1

    def close(self) -> None:
        """Stop and release the camera."""
        if not self._closed:
            self._closed = True
            self._close_camera()

    def configured(self, stream: str) -> Mapping[str, Any]:
        """What libcamera made of "main" or "lores": format, size, stride."""
        return dict(self._camera.camera_configuration()[stream])

    def _next_request(self) -> Any:
        """The next frame, or the ladder: flush what waits and try again; close, open and try again; give up (systemd restarts us, then the watchdog)."""
        for revive in (self._flush, self._reopen):
            try:
                return self._camera.capture_request(wait=self._settings.timeout_s)
            except (TimeoutError, RuntimeError):  # RuntimeError: libcamera's own words for a camera that went away
                revive()
        try:
            return self._camera.capture_request(wait=self._settings.timeout_s)
        except (TimeoutError, RuntimeError):
            self._flush()
            raise _error(f"the camera gives no frame: none within {self._settings.timeout_s:g} s, after a flush and a restart of the camera") from None

    def _flush(self) -> None:
        """Forget the request that timed out: left waiting, it would take the next frame and never give its buffer back."""
        self._camera.cancel_all_and_flush()

    def _reopen(self) -> None:
        self._close_camera()
        self._camera = self._open()

    def _open(self) -> Any:
        camera = None
        try:
            camera = self._library.Picamera2()
            camera.configure(self._configuration(camera))
            camera.start()
        except Exception as error:  # noqa: BLE001 picamera2 raises RuntimeError, IndexError, OSError and libcamera's own
            if camera is not None:
                self._camera = camera
                self._close_camera()
            raise _error(f"the camera does not start: {error}") from None
        return camera

    def _configuration(self, camera: Any) -> Any:
        """Main and lores, and of the controls only those that this camera has: libcamera refuses a control that it does not know."""
        settings = self._settings
        frame_us = round(1_000_000 / settings.frames_per_second)
        limits = camera.camera_controls.get("FrameDurationLimits")
        controls = {"FrameDurationLimits": (_within(frame_us, limits),) * 2} if limits else {}
        width, height = settings.width - settings.width % 2, settings.height - settings.height % 2
        small_width = min(LORES_WIDTH, width)
        small_height = small_width * height // width // 2 * 2
        main, small = {"size": (width, height), "format": "YUV420"}, {"size": (small_width, small_height), "format": "YUV420"}
        return camera.create_video_configuration(main=main, lores=small, buffer_count=BUFFERS, queue=True, controls=controls, display=None, encode=None)

    def _close_camera(self) -> None:
        """Close in a thread: with a dead event loop picamera2's close waits for ever."""
        camera, failures = self._camera, list[Exception]()

        def close() -> None:
            try:
                camera.close()
            except Exception as error:  # noqa: BLE001 libcamera raises its own; reported below, in our thread
                failures.append(error)

        camera.cancel_all_and_flush()  # a waiting job would stand in front of the stop, which is a job too
        closing = Thread(target=close, name="picamera2-close", daemon=True)
        closing.start()
        closing.join(CLOSE_WAIT_S)
        if closing.is_alive() or failures:
            raise _error(f"the camera does not close: {failures[0] if failures else f'still busy after {CLOSE_WAIT_S:g} s'}")

    def _captured(self, metadata: Mapping[str, Any]) -> Instant:
        """Now, less the frame's age. A time stamp that is missing or not of this clock counts as "now"."""
        now = self._clock.now()
        stamp_ns = metadata.get("SensorTimestamp")
        age_s = self._clock.monotonic_s() - stamp_ns / NANOSECONDS if stamp_ns else 0.0
        if not 0 <= age_s <= MOST_PLAUSIBLE_AGE_S:
            return now
        return Instant(now.utc - timedelta(milliseconds=round(age_s * 1000)), now.trust)


def to_bgr(buffer: Buffer, config: Mapping[str, Any]) -> Image:
    """A buffer of YUV420 (three planes) or NV12 (two), as configured in size and stride, to H×W×3 BGR, copied. Raises SourceError on other formats.

    Rows are padded to `stride` bytes; the padding is cut away before the conversion, so that it is never taken for picture.
    """
    width, height = config["size"]
    stride, kind = config["stride"], config["format"]
    luma = buffer[: height * stride].reshape(height, stride)[:, :width]
    chroma = buffer[height * stride : height * stride * 3 // 2]
    if kind == "NV12":
        packed = np.vstack([luma, chroma.reshape(height // 2, stride)[:, :width]])
        return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_NV12), np.uint8)
    if kind == "YUV420":
        planes = chroma.reshape(height, stride // 2)[:, : width // 2]  # first all rows of U, then all of V
        packed = np.concatenate([luma.reshape(-1), planes.reshape(-1)]).reshape(height * 3 // 2, width)
        return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)
    raise _error(f"the camera was configured to the pixel format {kind}, which is not read")


def _within(frame_us: int, limits: tuple[Any, ...]) -> int:
    """The frame duration that comes nearest within (shortest, longest, …) of this camera, in µs."""
    return max(int(limits[0]), min(frame_us, int(limits[1])))


def _import_picamera2() -> Any:
    """Imported here only: the library exists on a Raspberry Pi, and takes seconds."""
    try:
        return import_module("picamera2")
    except ImportError as error:
        raise SourceError(f"picamera2 cannot be imported: {error}", where="picamera", fix="on Raspberry Pi OS: sudo apt install python3-picamera2") from None


def _error(what: str) -> SourceError:
    return SourceError(what, where="picamera", fix="check the ribbon cable; `rpicam-hello --list-cameras` shows what the system sees")
