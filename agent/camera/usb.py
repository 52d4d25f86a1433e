"""Frames from a USB camera by Video4Linux 2, through PyAV; a thread keeps only the newest frame, so
that a slow reader never reads the past.

Not tried on a real USB camera yet (docs/ref/sources.md): tests run it over another live input of
the same library.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import av
import numpy as np

from agent.core.camera.camera_event import Tell, nobody, other_size
from agent.core.reading.sighting import Frame
from agent.errors import SourceError
from agent.ports import Clock
from agent.settings import Camera
from agent.values import replace

if TYPE_CHECKING:
    from av.container import InputContainer

CLOSE_WAIT_S = 2.0


class UsbSource:
    """Implements ports.FrameSource over /dev/videoN.

    `captured` is the clock's time when the frame was decoded. Never ends by itself.
    """

    def __init__(
        self,
        number: int,
        camera: Camera,
        clock: Clock,
        open_device: "Callable[[Path, Camera], InputContainer] | None" = None,
        tell: Tell = nobody,
    ) -> None:
        """`open_device`: for tests, another live input of PyAV. `tell`: hears of another size than
        the settings ask for.
        """
        self._tell = tell
        self._device, self._camera, self._clock = Path(f"/dev/video{number}"), camera, clock
        self._container = (open_device or _open_v4l2)(self._device, camera)
        self._newest: queue.Queue[Frame | SourceError] = queue.Queue(maxsize=1)
        self._stop = Event()
        # A daemon, because a read of a dead device may never return.
        self._thread = Thread(target=self._fill, name=f"usb:{number}", daemon=True)

    def frames(self) -> Iterator[Frame]:
        """Newest frames; those that nobody fetched in time are gone.

        Raises SourceError when the camera stalls, fails or is unplugged.
        """
        self._thread.start()
        sequence = 0
        while not self._stop.is_set():
            try:
                newest = self._newest.get(timeout=self._camera.timeout_s)
            except queue.Empty:
                raise self._error(f"no frame for {self._camera.timeout_s:g} s") from None
            if isinstance(newest, SourceError):
                raise newest
            given = (newest.image.shape[1], newest.image.shape[0])
            if not sequence and given != (self._camera.width, self._camera.height):
                self._tell(other_size((self._camera.width, self._camera.height), given))
            yield replace(newest, sequence=sequence)
            sequence += 1

    def close(self) -> None:
        """Stop the thread, then the camera.

        A thread stuck in the driver is left to end with the process.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)
        if not self._thread.is_alive():
            self._container.close()

    def _fill(self) -> None:
        """The thread: decode for ever, keep the newest."""
        # What goes wrong here is reported below, to whoever reads the frames.
        with suppress(av.error.FFmpegError, OSError, ValueError):
            for decoded in self._container.decode(video=0):
                if self._stop.is_set():
                    return
                image = np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
                self._replace(Frame(image, self._clock.now(), 0))
        self._replace(self._error("the camera failed or was unplugged"))

    def _replace(self, newest: Frame | SourceError) -> None:
        """Put it there instead of the one that nobody fetched, which is counted in it."""
        with suppress(queue.Empty):
            stale = self._newest.get_nowait()
            if isinstance(newest, Frame) and isinstance(stale, Frame):
                newest = replace(newest, missed=stale.missed + 1)
        self._newest.put(newest)  # this thread alone puts: there is room

    def _error(self, what: str) -> SourceError:
        return SourceError(
            what,
            where=self._device,
            fix="check the plug and the cable; `v4l2-ctl --list-devices` names the cameras",
        )


def _open_v4l2(device: Path, camera: Camera) -> "InputContainer":
    """The device at the size and rate of [camera]; the driver refuses what the camera cannot do."""
    if not device.exists():
        raise SourceError(
            "no such camera",
            where=device,
            fix="check the plug; `ls /dev/video*` shows the numbers for usb:N",
        )
    options = {
        "video_size": f"{camera.width}x{camera.height}",
        "framerate": str(camera.frames_per_second),
    }
    try:
        return av.open(str(device), format="video4linux2", options=options)
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(
            f"the camera does not open: {error.strerror}",
            where=device,
            fix="check its permissions (group video) and [camera] width, height, rate",
        ) from None
