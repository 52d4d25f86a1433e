"""The ladder that a stalled camera is helped up: ask again, stop and start, open anew, give up.
Values only; the adapter does what a rung says.
"""

from enum import StrEnum

from agent.core.camera.camera_event import CameraEvent


class Rung(StrEnum):
    """In order of climbing. `EXIT`: the process ends with code 1 and systemd starts it anew; behind
    that stands the hardware watchdog.
    """

    RETRY = "retry"
    RESTART = "restart"
    REOPEN = "reopen"
    EXIT = "exit"


_DOES = {
    Rung.RETRY: "the request is cancelled and asked again",
    Rung.RESTART: "the camera is stopped and started",
    Rung.REOPEN: "the camera is closed and opened anew",
    Rung.EXIT: "watch ends, to be started anew",
}


class Ladder:
    """Where a camera stands on it. A frame ends the climb: the next stall begins at the bottom."""

    def __init__(self) -> None:
        self._climbed: list[Rung] = []
        self._stalled_since_s = 0.0

    def climb(self, now_s: float, waited_s: float) -> Rung:
        """The next rung, for a wait of `waited_s` that ended now without a frame. After EXIT only
        EXIT.
        """
        if not self._climbed:
            self._stalled_since_s = now_s - waited_s
        rung = list(Rung)[min(len(self._climbed), len(Rung) - 1)]
        self._climbed.append(rung)
        return rung

    def stalled(self, rung: Rung, now_s: float, why: str) -> CameraEvent:
        """What to tell when a rung is climbed. `why`: our own words, or those of the library."""
        seconds = round(now_s - self._stalled_since_s, 1)
        return CameraEvent(
            "stalled",
            f"the camera gives no frame for {seconds:g} s ({why}): {_DOES[rung]}",
            {"rung": rung, "seconds": seconds, "why": why},
        )

    def frame_came(self, now_s: float) -> CameraEvent | None:
        """Call with every frame. The end of a climb, to be told; None in peace."""
        if not self._climbed:
            return None
        rung, seconds = self._climbed[-1], round(now_s - self._stalled_since_s, 1)
        self._climbed.clear()
        return CameraEvent(
            "recovered",
            f"the camera gives frames again after {seconds:g} s ({rung})",
            {"rung": rung, "seconds": seconds},
        )
