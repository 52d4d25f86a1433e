"""What to do about a camera that gives no frame, rung by rung: ask again, stop and start, open
anew, end.

Values only: the adapter does what a rung says.
"""

from enum import StrEnum

from agent.core.camera.camera_event import CameraEvent


class Rung(StrEnum):
    """In the order in which they are tried.

    `EXIT`: the process ends with code 1 and systemd starts it anew. If that fails, the hardware
    watchdog restarts the machine.
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
    """Which rungs were tried. A frame ends the stall; the next one begins at the first rung."""

    def __init__(self) -> None:
        self._climbed: list[Rung] = []
        self._stalled_since_s = 0.0

    def climb(self, now_s: float, waited_s: float) -> Rung:
        """The next rung, for a wait of `waited_s` that ended now without a frame.

        After EXIT comes EXIT again.
        """
        if not self._climbed:
            self._stalled_since_s = now_s - waited_s
        rung = list(Rung)[min(len(self._climbed), len(Rung) - 1)]
        self._climbed.append(rung)
        return rung

    def stalled(self, rung: Rung, now_s: float, why: str) -> CameraEvent:
        """What to tell when a rung is tried. `why`: our own words, or those of the library."""
        seconds = round(now_s - self._stalled_since_s, 1)
        return CameraEvent(
            "stalled",
            f"the camera gives no frame for {seconds:g} s ({why}): {_DOES[rung]}",
            {"rung": rung, "seconds": seconds, "why": why},
        )

    def frame_came(self, now_s: float) -> CameraEvent | None:
        """Call with every frame. The end of a stall, to be told; None where there was none."""
        if not self._climbed:
            return None
        rung, seconds = self._climbed[-1], round(now_s - self._stalled_since_s, 1)
        self._climbed.clear()
        return CameraEvent(
            "recovered",
            f"the camera gives frames again after {seconds:g} s ({rung})",
            {"rung": rung, "seconds": seconds},
        )
