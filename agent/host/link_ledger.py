"""Follows how deliver's brokers are, and what keeps reads waiting since when: told at each change,
and written down for `status`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.log.link_facts import MAX_WHY, NAME, Link, LinkFacts, format_facts
from agent.core.time.instant import ClockTrust
from agent.disk.atomic_file import write_atomic
from agent.errors import StorageError
from agent.host.teller import printable
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from agent.host.teller import Teller
    from agent.ports import Clock

CONNECTED = "connected"
NO_RECEIPT = "sent, and no receipt has come yet; is the recipient's receiver running?"
UNTRUSTED = "the clock is not trusted"
RECEIPT_LATE_S = 10.0  # a receipt that is on its way is no trouble
WRITE_EVERY_S = 5.0  # a link that flaps must not wear out the card


class LinkLedger:
    """`folder`: deliver's own, where links.json is kept.

    Call `look` after each pass, `stop` at an orderly end.
    """

    def __init__(self, folder: Path, clock: Clock, teller: Teller) -> None:
        self._path, self._clock, self._teller = folder / NAME, clock, teller
        self._links: dict[str, Link] = {}
        self._held, self._since = "", clock.now().utc
        self._known = ""
        self._waiting, self._quiet_since_s = 0, clock.monotonic_s()
        self._written: LinkFacts | None = None
        self._written_s = clock.monotonic_s() - WRITE_EVERY_S

    def why(self) -> str:
        """What keeps reads waiting now, or would keep one that came since the last pass."""
        return self._held or self._known or (NO_RECEIPT if self._waiting else "")

    def look(
        self, links: Mapping[str, str] | None, waiting: int, receipts: int, trouble: str
    ) -> None:
        """One pass is done.

        `links`: each broker of the policy in force, and what keeps it out of reach; None: no policy
        is in force, and `trouble` says why.

        `waiting`, `receipts`, `trouble`: of the pass.
        """
        now, monotonic_s = self._clock.now(), self._clock.monotonic_s()
        if receipts or not waiting:
            self._quiet_since_s = monotonic_s
        self._waiting = waiting
        self._links = {
            broker: self._link(broker, printable(why, MAX_WHY), now.utc)
            for broker, why in (links or {}).items()
        }
        down = "; ".join(link.why for link in self._links.values() if link.why)
        known = trouble or (UNTRUSTED if now.trust is ClockTrust.UNTRUSTED else "") or down
        if not known and monotonic_s - self._quiet_since_s >= RECEIPT_LATE_S:
            known = NO_RECEIPT
        self._known = printable(known, MAX_WHY)
        held = self._known if waiting else ""
        if held != self._held:
            self._held, self._since = held, now.utc
        self._tell(links, trouble)
        self._write(now.utc)

    def stop(self) -> None:
        """Deliver stops: what it says of its links is over."""
        self._write(self._clock.now().utc, running=False)

    def _tell(self, links: Mapping[str, str] | None, trouble: str) -> None:
        self._teller.tell_clock(self._clock)
        if links is None:
            self._teller.tell("policy", trouble)
            return
        self._teller.tell("policy", "in force", usual=True)
        for link in self._links.values():
            name = f"broker {link.broker!r}"
            self._teller.tell(name, link.why.removeprefix(f"{name} ") or CONNECTED)
        held = self._held and f"reads wait: {self._held}"
        self._teller.tell("outbox", held or "reads go out", usual=not held)

    def _link(self, broker: str, why: str, now: datetime) -> Link:
        known = self._links.get(broker)
        return known if known is not None and known.why == why else Link(broker, now, why)

    def _write(self, now: datetime, *, running: bool = True) -> None:
        """At a change, and not more often than every WRITE_EVERY_S; a full disk is told, and ends
        nothing here.
        """
        facts = LinkFacts(
            self._written.at if self._written else now,
            running,
            tuple(self._links.values()),
            self._held,
            self._since if self._held else None,
        )
        due = not running or self._clock.monotonic_s() - self._written_s >= WRITE_EVERY_S
        if facts == self._written or not due:
            return
        self._written_s = self._clock.monotonic_s()
        try:
            write_atomic(self._path, format_facts(replace(facts, at=now)), 0o640)
        except StorageError as error:
            self._teller.tell("what status reads", str(error))
            return
        self._written = replace(facts, at=now)
        self._teller.tell("what status reads", "is written", usual=True)
