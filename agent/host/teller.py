"""Says on standard error what happens, a line at each change of state, and a summary at the end.

Under systemd the lines stand in the journal.

Mitigates against: silence that looks like work; a link that flaps and floods the journal; a text
from outside that speaks to a terminal.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.core.time.instant import ClockTrust
from agent.host.clock import TrustedClock
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ports import Clock

WINDOW_S = 600.0
MOST_OF_A_KEY = 6  # lines in a window about one thing
MOST_KEYS = 200
MAX_LINE = 600


def printable(text: str, most: int = MAX_LINE) -> str:
    """One bounded line; whatever steers a terminal is shown by its number."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:most]
    )
    return shown[:most]


@dataclass(slots=True)
class _Told:
    """`state`: the last one that was said. `lines`: in the window that began at `since_s`."""

    state: str
    since_s: float
    lines: int = 0
    untold: str = ""
    changes: int = 0


class Teller:
    """The voice of one process, `watch` or `deliver`.

    A change beyond the limit is not lost: the state that stands when the window ends is said then.
    """

    def __init__(
        self,
        process: str,
        *,
        quiet: bool = False,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process, self._quiet, self._monotonic_s = process, quiet, monotonic_s
        self._told: dict[str, _Told] = {}

    def tell(self, key: str, state: str, why: str = "", *, usual: bool = False) -> None:
        """Say that `key` is in `state`, if it was in another one before.

        `why`: added to the line; another reason alone is no change. `usual`: not worth a line
        unless something else was said of `key` before.
        """
        known = self._told.get(key)
        if known is None:
            if len(self._told) >= MOST_KEYS:
                return
            known = self._told[key] = _Told(state if usual else "", self._monotonic_s())
        if known.state == state:
            known.untold = ""
            return
        now_s = self._monotonic_s()
        if now_s - known.since_s >= WINDOW_S:
            known.since_s, known.lines = now_s, 0
        if known.lines >= MOST_OF_A_KEY:
            known.changes += known.untold != state
            known.untold = state
            return
        missed = f" (after {known.changes} changes in between)" if known.changes else ""
        known.state, known.lines = state, known.lines + 1
        known.untold, known.changes = "", 0
        self.say(f"{key}: {state}{f': {why}' if why else ''}{missed}")

    def tell_clock(self, clock: Clock) -> None:
        """Whether time may be believed; a clock that is well from the start is no news."""
        trust = clock.now().trust
        well = trust is not ClockTrust.UNTRUSTED
        why = clock.explain() if isinstance(clock, TrustedClock) else ""
        self.tell("clock", str(trust), "" if well else why, usual=well)
        if isinstance(clock, TrustedClock):
            self.tell("disk", clock.unsaved or "what is known of time is saved", usual=True)

    def say(self, text: str, *, error: bool = False) -> None:
        """One line, now; an error is said though the others are silenced. A journal that is gone
        stops no camera.
        """
        if self._quiet and not error:
            return
        with suppress(OSError, ValueError):
            print(f"platewarden {self._process}: {printable(text)}", file=sys.stderr, flush=True)  # noqa: T201 - it is the voice
