"""Holds how watch reads against what the charter promises, says so where it reads worse, and closes
it where the charter wants that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.camera.camera_event import CameraEvent
from agent.core.camera.health.health_report import Reading
from agent.core.camera.health.reading_quality import ReadingTally, joined, judged
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.storage.health.reading_days import ReadingMemory, read_memory, write_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.policy.schema.reading_rules import ReadingRules
    from agent.ports import AuditLog

LOOK_EVERY_S = 60.0
KEEP_EVERY_S = 3_600.0


class ReadingKeeper:
    """`path`: watch's own file; `tell`: of the camera's health. `state`: how it reads; None: the
    charter promises nothing, or nobody has looked yet. `closes`: nothing may be released. Raises
    StorageError.
    """

    def __init__(
        self,
        path: Path,
        tally: ReadingTally,
        log: AuditLog,
        tell: Callable[[CameraEvent], None],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._path, self._tally, self._log, self._tell = path, tally, log, tell
        self._monotonic_s = monotonic_s
        self._memory = read_memory(path)
        self._look_s, self._keep_s = monotonic_s(), monotonic_s() + KEEP_EVERY_S
        self.state: Reading | None = None
        self._rules: ReadingRules | None = None

    def obey(self, rules: ReadingRules | None) -> None:
        """What the charter in force promises."""
        if rules != self._rules:
            self._rules, self._look_s = rules, self._monotonic_s()

    @property
    def closes(self) -> bool:
        """By the charter, and by how it reads."""
        return self.state is Reading.WORSE and self._rules is not None and self._rules.close

    def look(self, now: Instant) -> None:
        """Once a minute; a clock that is not trusted says nothing of a day."""
        if self._monotonic_s() < self._look_s or now.trust is ClockTrust.UNTRUSTED:
            return
        self._look_s = self._monotonic_s() + LOOK_EVERY_S
        today, before = now.utc.date(), self._memory
        asked = (before.asked_since or today) if self._rules is not None else None
        days = joined(before.days, self._tally.take())
        self._memory = ReadingMemory(days, asked)
        if self._monotonic_s() >= self._keep_s or asked != before.asked_since:
            self.keep()
        if self._rules is None or asked is None:
            self.state = None
            return
        state, why = judged(days, min(asked, today), today, self._rules)
        if state is not (self.state or Reading.AS_PROMISED):
            self._told(state, why)
        self.state = state

    def keep(self) -> None:
        """Write what is known: each hour, and at the end."""
        self._keep_s = self._monotonic_s() + KEEP_EVERY_S
        days = joined(self._memory.days, self._tally.take())
        self._memory = ReadingMemory(days, self._memory.asked_since)
        write_memory(self._path, self._memory)

    def _told(self, state: Reading, why: str) -> None:
        closes = state is Reading.WORSE and self._rules is not None and self._rules.close
        ends = ": by the charter nothing is released" if closes else ""
        said = f"the camera reads worse than promised ({why}){ends}"
        if state is Reading.AS_PROMISED:
            said = "the camera reads as promised again"
        details = {"state": state, **({"why": why} if why else {})}
        self._tell(CameraEvent("reading", said, details))
        if closes:
            self._log.append(LeafKind.REFUSAL, {"reason": Reason.READS_WORSE, "what": said})
