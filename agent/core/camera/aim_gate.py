"""Who may look during an aim, and until when: one phone, a handful of wrong PINs, twenty minutes.

Time arrives as seconds of a clock that is never set back.
"""

from enum import StrEnum

from agent.values import dataclass, field

WRONG_PINS = 5
IDLE_S = 30.0  # a phone that has not asked for so long has been put away: another may come in


class Ending(StrEnum):
    """Why an aim ended; stands in the log."""

    TIME = "time"
    WRONG_PIN = "wrong-pin"
    PHONE = "phone"
    STOPPED = "stopped"
    CAMERA = "camera"
    FAULT = "fault"


class Entry(StrEnum):
    """What became of a PIN that somebody typed."""

    WELCOME = "welcome"
    WRONG = "wrong"
    BUSY = "busy"
    OVER = "over"


@dataclass(slots=True)
class Gate:
    """The state of one aim.

    Not safe for several threads: its owner holds a lock. `ends_s`: when it ends by itself.

    Mitigates against: guessing the PIN (five tries in all, from all phones together, then the aim
    is over), a second phone looking in beside the first, a page left open. Limit: whoever is on the
    hotspot can end the aim by guessing; the camera then goes back to its work.
    """

    ends_s: float
    wrong: int = 0
    logins: int = 0
    _ending: Ending | None = None
    _holder: str = field(default="", repr=False)
    _seen_s: float = 0.0

    def ending(self, now_s: float) -> Ending | None:
        """Why it is over, or None while it goes on."""
        if self._ending is None and now_s >= self.ends_s:
            self._ending = Ending.TIME
        return self._ending

    def end(self, why: Ending) -> None:
        """Over, from now on; the first reason stays."""
        self._ending = self._ending or why

    def enter(self, now_s: float, *, right: bool, token: str) -> Entry:
        """A PIN was typed.

        WELCOME: `token` is the session from now on, and every earlier one is void.
        """
        if self.ending(now_s):
            return Entry.OVER
        if not right:
            self.wrong += 1
            if self.wrong >= WRONG_PINS:
                self.end(Ending.WRONG_PIN)
                return Entry.OVER
            return Entry.WRONG
        if self._holder and now_s - self._seen_s < IDLE_S:
            return Entry.BUSY
        self._holder, self._seen_s = token, now_s
        self.logins += 1
        return Entry.WELCOME

    def holder(self, now_s: float) -> str:
        """The token that is let in; empty when nobody is, or all is over."""
        return "" if self.ending(now_s) else self._holder

    def seen(self, now_s: float) -> None:
        """The holder has asked for something."""
        self._seen_s = now_s

    def tries_left(self) -> int:
        """Wrong PINs that are still forgiven before the one that ends it."""
        return WRONG_PINS - self.wrong
