"""Keeps watch over the camera itself: writes what it tells into watch's log, looks at its picture
once a minute, says what is wrong in the status (P9: in numbers).
"""

from collections.abc import Iterator
from datetime import datetime

from agent.core.camera.camera_event import Alarm, CameraEvent
from agent.core.camera.camera_facts import NAME, CameraFacts, format_facts
from agent.core.camera.standing_alarms import AlarmKeeper
from agent.core.log.leaf import LeafKind
from agent.core.reading.sighting import Frame
from agent.disk.atomic_file import write_atomic
from agent.host.notify import Notifier
from agent.host.teller import Teller
from agent.light_meter import look_at, luminance
from agent.ports import AuditLog, Clock
from agent.settings import Settings

# A loose cable could tell something every few seconds. What is beyond is counted, and told with the
# next hour's first.
MOST_LEAVES_AN_HOUR = 60
HOUR_S = 3600.0


class CameraHealth:
    """One for each process.

    `tell` is the camera's to call, `looked` goes around its frames. Raises StorageError where the
    log cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        log: AuditLog,
        notifier: Notifier,
        teller: Teller | None = None,
    ) -> None:
        self._teller = teller or Teller("watch")
        self._clock, self._log, self._notifier = clock, log, notifier
        self._facts, self._every_s = settings.state / "watch" / NAME, settings.camera.look_every_s
        self._alarms, self._next_s = AlarmKeeper(), clock.monotonic_s()
        self._since = dict[Alarm, datetime]()
        self._profile, self._stalls = "day", 0
        self._frames = self._dropped = self._written_dropped = 0
        self._hour_ends_s, self._told, self._more = 0.0, 0, 0
        self._write_facts()

    def tell(self, event: CameraEvent) -> None:
        """Journal, status line, log; in the log at most MOST_LEAVES_AN_HOUR."""
        self._teller.say(event.said)  # an event holds no plate
        if event.what == "profile":
            self._profile = str(event.details["profile"])
        self._stalls += event.what == "stalled"
        self._notifier.status(event.said if event.what == "stalled" else self.standing())
        if self._clock.monotonic_s() >= self._hour_ends_s:
            self._hour_ends_s, self._told = self._clock.monotonic_s() + HOUR_S, 0
        if self._told >= MOST_LEAVES_AN_HOUR:
            self._more += 1
            return
        more = {"untold": self._more} if self._more else {}
        self._told, self._more = self._told + 1, 0
        self._log.append(LeafKind.CAMERA, {"what": event.what, **event.details, **more})
        self._write_facts()

    def looked(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The same frames, counted, with those that were dropped; one in a while is measured for
        the standing alarms.

        No picture is kept, but for a map of edges of 32×18 cells in memory.
        """
        for frame in frames:
            self._frames, self._dropped = self._frames + 1, self._dropped + frame.missed
            if self._clock.monotonic_s() >= self._next_s:
                self._next_s = self._clock.monotonic_s() + self._every_s
                self._look(frame)
            yield frame

    def _look(self, frame: Frame) -> None:
        for change in self._alarms.look(look_at(luminance(frame.image)), self._profile):
            if change.raised:
                self._since[change.alarm] = frame.captured.utc
            else:
                self._since.pop(change.alarm, None)
            self.tell(change.event())
        if self._dropped != self._written_dropped:
            self._write_facts()

    @property
    def alarms(self) -> frozenset[Alarm]:
        """Those that stand."""
        return frozenset(self._since)

    def standing(self) -> str:
        """For the status line."""
        return (
            f"watches; the camera is {', '.join(sorted(self._since))}" if self._since else "watches"
        )

    def _write_facts(self) -> None:
        """For `status` and `doctor`, which have no camera while watch has it."""
        facts = CameraFacts(
            self._clock.now().utc,
            self._since,
            self._profile,
            self._stalls,
            self._frames,
            self._dropped,
        )
        self._written_dropped = self._dropped
        write_atomic(self._facts, format_facts(facts), 0o640)
