"""Frames from a Raspberry Pi camera by picamera2: every wait bounded, day and night profiles, a
stalled camera restarted step by step, or reported.
"""

import atexit
import faulthandler
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from threading import Thread
from typing import Any

from agent.camera.yuv import to_bgr
from agent.core.camera.camera_event import CameraEvent, Tell, nobody, other_size
from agent.core.camera.profile import DAY, NIGHT, DayNight, Limits, Profile, choose
from agent.core.camera.recovery import Ladder, Rung
from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.errors import CameraHungError, ConfigError, PlatewardenError, SourceError
from agent.ports import Clock
from agent.settings import Camera, Night

BUFFERS = 4
COMMAND_WAIT_S = 5.0  # for stop, start and close, which have no time limit of their own
LOCKED_WAIT_S = 3.0  # more, until a command that holds Python's lock ends the process
MOST_PLAUSIBLE_AGE_S = 60.0
NANOSECONDS, NANOSECONDS_A_US = 1_000_000_000, 1_000
STDERR = 2  # the descriptor: Python's own object may be locked as well
FIX = "check the ribbon cable; `rpicam-hello --list-cameras` shows what the system sees"


class PicameraSource:
    """Implements ports.FrameSource over the first camera.

    `Frame.image` is the main stream; `captured` comes from the sensor's own time stamp.

    Needs a clock whose `monotonic_s` is CLOCK_BOOTTIME, the clock that libcamera stamps with. Never
    ends by itself.
    """

    def __init__(
        self,
        settings: Camera,
        clock: Clock,
        library: Callable[[], Any] | None = None,
        *,
        night: Night | None = None,
        tell: Tell = nobody,
    ) -> None:
        """Opens and starts the camera; raises SourceError, or ConfigError for a required control
        that it lacks.

        `library`: gives the module picamera2; tests give another. `tell`: hears of stalls, profiles
        and missing controls.
        """
        self._settings, self._clock, self._tell = settings, clock, tell
        self._night = night or Night()
        self._library = (library or _import_picamera2)()
        self._ladder = Ladder()
        self._light = DayNight(self._night.below_lux, self._night.above_lux, self._night.after_s)
        self._lacking, self._told_size = set[str](), (0, 0)
        self._closed = self._hung = False
        self._stamp_ns: int | None = None  # of the last frame that was fetched
        self._camera = self._open()

    def frames(self) -> Iterator[Frame]:
        """Newest frames.

        Raises SourceError when the camera stays stalled after every rung of the ladder.
        """
        sequence = 0
        while not self._closed:
            request = self._next_request()
            try:
                metadata = request.get_metadata()
                image = to_bgr(request.make_buffer("main"), request.config["main"])
                captured, missed = self._captured(metadata), self._missed(metadata)
            finally:
                request.release()  # the buffer goes back to the camera; what we keep is a copy
            self._follow_light(metadata)
            yield Frame(image, captured, sequence, missed=missed)
            sequence += 1

    def close(self) -> None:
        """Stop and release the camera. One that hung is left to end with the process."""
        if not self._closed:
            self._closed = True
            if not self._hung:
                self._close_camera()

    def configured(self) -> Mapping[str, Any]:
        """What libcamera made of the main stream: format, size, stride."""
        return dict(self._camera.camera_configuration()["main"])

    def _next_request(self) -> Any:
        """The next frame, by as many rungs of the ladder as it takes (core.camera.recovery)."""
        while True:
            asked_s = self._clock.monotonic_s()
            try:
                request = self._camera.capture_request(wait=self._settings.timeout_s)
            except (TimeoutError, RuntimeError) as error:
                # RuntimeError has libcamera's own words for a camera that went away.
                self._climb(asked_s, str(error) or f"none within {self._settings.timeout_s:g} s")
            else:
                if event := self._ladder.frame_came(self._clock.monotonic_s()):
                    self._tell(event)
                return request

    def _climb(self, asked_s: float, why: str) -> None:
        """One rung up. Raises SourceError from the last one, and when the camera does not even
        stop, close or open.
        """
        self._stamp_ns = None  # a camera that gives none drops none
        now_s = self._clock.monotonic_s()
        rung = self._ladder.climb(now_s, now_s - asked_s)
        self._tell(self._ladder.stalled(rung, now_s, why))
        # The request that timed out would take the next frame and never give its buffer back.
        self._camera.cancel_all_and_flush()
        try:
            if rung is Rung.RESTART:
                self._restart()
            elif rung is Rung.REOPEN:
                self._close_camera()
                self._camera = self._open()
        except PlatewardenError as error:
            now_s = self._clock.monotonic_s()
            self._tell(self._ladder.stalled(Rung.EXIT, now_s, error.what))
            raise
        if rung is Rung.EXIT:
            raise _error(
                f"the camera gives no frame: none within {self._settings.timeout_s:g} s, "
                "after a restart and a new opening of the camera"
            )

    def _restart(self) -> None:
        """Stop and start. One that refuses, rather than hangs, is told and left for the next
        rung.
        """
        camera = self._camera

        def restart() -> None:
            camera.stop()
            self._set_profile(camera)
            camera.start()

        if failure := self._bounded("stop and start", restart):
            self._tell(
                CameraEvent(
                    "refused",
                    f"the camera does not stop and start: {failure}",
                    {"why": str(failure)},
                )
            )

    def _open(self) -> Any:
        camera = None
        try:
            camera = self._library.Picamera2()
            camera.configure(self._configuration(camera))
            self._tell_size(camera)
            self._set_profile(camera)
            camera.start()
        except Exception as error:
            if camera is not None:
                self._camera = camera
                self._close_camera()
            if isinstance(error, PlatewardenError):
                raise
            # Any exception: picamera2 raises RuntimeError, IndexError, OSError and libcamera's own.
            raise _error(f"the camera does not start: {error}") from None
        return camera

    def _configuration(self, camera: Any) -> Any:
        """The main stream alone: the networks are fed from it (docs/design/frame-sources.md).

        Even sizes, as libcamera wants.
        """
        width, height = self._size()
        main = {"size": (width, height), "format": "YUV420"}
        return camera.create_video_configuration(
            main=main, buffer_count=BUFFERS, queue=True, display=None, encode=None
        )

    def _tell_size(self, camera: Any) -> None:
        """Libcamera gives the nearest size that it can, and says nothing."""
        given, asked = tuple(camera.camera_configuration()["main"]["size"]), self._size()
        if given != asked != self._told_size:
            self._told_size = asked
            self._tell(other_size(asked, given))

    def _size(self) -> tuple[int, int]:
        return self._settings.width // 2 * 2, self._settings.height // 2 * 2

    def _set_profile(self, camera: Any) -> None:
        """The controls of day or night, as far as this camera has them; probed after configuring,
        which changes their limits.

        Raises ConfigError.
        """
        limits: Limits = camera.camera_controls
        chosen = choose(self._profile(camera), limits)
        lacking = {
            **dict.fromkeys(chosen.lacking, "has no control for it"),
            **dict.fromkeys(chosen.bent, "cannot go so far"),
        }
        for wish, why in lacking.items():
            self._cannot(wish, why)
        camera.set_controls(dict(chosen.controls))

    def _profile(self, camera: Any) -> Profile:
        """What the settings ask for at this time of day, in the shape that the camera gives."""
        wanted = self._night if self._light.now == NIGHT else self._settings
        (width, height) = camera.camera_configuration()["main"]["size"]
        return Profile(
            self._settings.frames_per_second,
            width / height,
            wanted.exposure_us,
            wanted.gain,
            wanted.focus_m,
            self._settings.crop,
        )

    def _cannot(self, wish: str, why: str) -> None:
        """Say once what the camera cannot do; refuse where the settings require it."""
        if wish in self._settings.required:
            raise ConfigError(
                f"[camera] required asks for {wish}, and this camera {why}",
                where="picamera",
                fix="take it out of required, or another camera",
            )
        if wish not in self._lacking:
            self._lacking.add(wish)
            self._tell(
                CameraEvent(
                    "lacking",
                    f"the settings ask for {wish}, and this camera {why}: "
                    "the nearest that it can is used",
                    {"wish": wish, "why": why},
                )
            )

    def _follow_light(self, metadata: Mapping[str, Any]) -> None:
        """Day to night and back, by the camera's own estimate.

        It takes effect a few frames later; nothing is stopped for it.
        """
        lux = metadata.get("Lux")
        if lux is None and self._night.below_lux is not None:
            self._cannot("light", "tells no light level (Lux)")
        changed = self._light.see(lux, self._clock.monotonic_s())
        if changed is not None:
            self._set_profile(self._camera)
            said = (
                f"it is {'day' if changed == DAY else 'night'} ({lux:.0f} lux): "
                f"the {changed}'s exposure, gain and focus"
            )
            self._tell(
                CameraEvent("profile", said, {"profile": changed, "lux": round(float(lux or 0), 1)})
            )

    def _close_camera(self) -> None:
        # A waiting job would stand in front of the stop, which is a job too.
        self._camera.cancel_all_and_flush()
        if failure := self._bounded("close", self._camera.close):
            raise _error(f"the camera does not close: {failure}")

    def _bounded(self, what: str, command: Callable[[], None]) -> Exception | None:
        """Run a command of the library, which has no time limit: with a dead event loop it waits
        for ever.

        Its own failure; CameraHungError when it hangs.

        libcamera's commands hold Python's lock. When one hangs, no line of ours runs any more, this
        join's included: then faulthandler's thread, which needs no lock, ends the process with code
        1 (and prints where it stood, without values), and systemd starts it anew.
        """
        failures = list[Exception]()

        def run() -> None:
            try:
                command()
            # Any exception, since libcamera raises its own; handed on to our thread.
            except Exception as error:  # noqa: BLE001
                failures.append(error)

        thread = Thread(target=run, name=f"picamera2-{what}", daemon=True)
        faulthandler.dump_traceback_later(COMMAND_WAIT_S + LOCKED_WAIT_S, exit=True, file=STDERR)
        thread.start()
        thread.join(COMMAND_WAIT_S)
        faulthandler.cancel_dump_traceback_later()
        if thread.is_alive():
            self._hung = True
            # This is picamera2's own clean-up at exit, which would hang as well.
            atexit.unregister(self._camera.close)
            raise CameraHungError(
                f"the camera does not {what}: still busy after {COMMAND_WAIT_S:g} s",
                where="picamera",
                fix=FIX,
            )
        return failures[0] if failures else None

    def _captured(self, metadata: Mapping[str, Any]) -> Instant:
        """Now, less the frame's age.

        A time stamp that is missing or not of this clock counts as "now".
        """
        now = self._clock.now()
        stamp_ns = metadata.get("SensorTimestamp")
        age_s = self._clock.monotonic_s() - stamp_ns / NANOSECONDS if stamp_ns else 0.0
        if not 0 <= age_s <= MOST_PLAUSIBLE_AGE_S:
            return now
        return Instant(now.utc - timedelta(milliseconds=round(age_s * 1000)), now.trust)

    def _missed(self, metadata: Mapping[str, Any]) -> int:
        """How many frames the sensor gave since the last one that was fetched, by its own stamps:
        libcamera keeps the newest for us, and tells of no other.
        """
        stamp_ns, took_us = metadata.get("SensorTimestamp"), metadata.get("FrameDuration")
        before_ns, self._stamp_ns = self._stamp_ns, stamp_ns
        if before_ns is None or not stamp_ns or not took_us:
            return 0
        frames: int = round((stamp_ns - before_ns) / (took_us * NANOSECONDS_A_US))
        return max(0, frames - 1)


def _import_picamera2() -> Any:
    """Imported here only: the library exists on a Raspberry Pi, and takes seconds."""
    try:
        return import_module("picamera2")
    except ImportError as error:
        raise SourceError(
            f"picamera2 cannot be imported: {error}",
            where="picamera",
            fix="on Raspberry Pi OS: sudo apt install python3-picamera2",
        ) from None


def _error(what: str) -> SourceError:
    return SourceError(what, where="picamera", fix=FIX)
