"""What deliver tells the city of this camera's health: its own part, and what watch told of itself,
made coarse, numbered and signed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import agent
from agent.core.camera.health.health_message import HealthMessage
from agent.core.camera.health.health_report import NOW_BITS, SINCE_START_BITS, Health
from agent.core.camera.health.home_assistant import discovery
from agent.core.time.instant import ClockTrust
from agent.errors import PlatewardenError
from agent.host import board
from agent.storage.health.health_note import signed
from agent.storage.health.message_count import CountFile, MessageCount
from agent.storage.health.watch_health import silent_h, told_by_watch
from agent.storage.mailbox import HEALTH, OutboxReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from agent.core.camera.health.watch_facts import WatchFacts
    from agent.core.policy.policy import Policy
    from agent.core.time.instant import Instant
    from agent.ports import Clock
    from agent.settings import Settings
    from agent.sides.signed_city import Standing

COUNT_FILE = "health.json"
_TRUST = (ClockTrust.UNTRUSTED, ClockTrust.OS, ClockTrust.TRUSTED)  # the worst first


class DeliverHealth:
    """Implements network.health_post.HealthTeller. `origin`, `key`: of deliver's log. `policy`,
    `standing`, `links`: what is in force just now, and what keeps each broker out of reach;
    `topic`: where the messages go.
    """

    def __init__(
        self,
        settings: Settings,
        origin: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        *,
        policy: Callable[[], Policy | None],
        standing: Callable[[], Standing | None],
        links: Callable[[], Mapping[str, str] | None],
        topic: str,
        system: Path = board.SYSTEM,
    ) -> None:
        self._settings, self._origin, self._key, self._clock = settings, origin, key, clock
        self._policy, self._standing, self._links = policy, standing, links
        self._outbox = OutboxReader(settings.outbox, settings.limits.max_envelope_bytes)
        self._count = CountFile(settings.state / "deliver" / COUNT_FILE)
        self._topic, self._system = topic, system

    def message(self) -> bytes:
        """The next one. It is counted first: a number is never used twice. Raises StorageError."""
        before = self._count.count
        self._count.keep(MessageCount(before.made + 1, before.unsent + 1))
        told = HealthMessage(before.made + 1, before.unsent, self.health())
        return signed(told, self._origin, self._key)

    def taken(self) -> None:
        """Raises StorageError."""
        if self._count.count.unsent:
            self._count.keep(MessageCount(self._count.count.made))

    def discovery(self) -> bytes | None:
        """For Home Assistant, where the settings ask for it."""
        if not self._settings.health.home_assistant:
            return None
        camera = self._settings.camera_id
        return discovery(camera, agent.__version__, self._topic)

    def health(self) -> Health:
        """As it is now; what cannot be read is missing, and named."""
        now, problems = self._clock.now(), []
        watch: WatchFacts | None = None
        try:
            watch = told_by_watch(self._settings.outbox / HEALTH)
        except PlatewardenError:
            problems.append("watch")
        filled = self._filled()
        if filled is None:
            problems.append("outbox")
        bits = board.throttled(self._system)
        policy, standing, links = self._policy(), self._standing(), self._links()
        return Health(
            self._settings.camera_id,
            agent.__version__,
            now.utc,
            watch.alarms if watch else None,
            board.temperature(self._system),
            None if bits is None else bool(bits & NOW_BITS),
            None if bits is None else bool(bits & SINCE_START_BITS),
            watch.hotlist_age_h if watch else None,
            watch.hotlist_stale if watch else None,
            filled,
            sum(bool(why) for why in links.values()) if links is not None else None,
            len(standing.lapses) if standing else None,
            policy is not None,
            tuple(problems),
            policy_version=policy.version if policy else None,
            policy_age_h=_age_h(standing.generation.issued, now) if standing else None,
            clock=min(now.trust, watch.clock, key=_TRUST.index) if watch else now.trust,
            closed=watch.closed if watch else None,
            watch_silent_h=silent_h(watch, now.utc),
            reading=watch.reading if watch else None,
        )

    def _filled(self) -> float | None:
        with suppress(PlatewardenError):
            return len(self._outbox.pending()) / self._settings.limits.max_outbox_reads
        return None


def _age_h(since: datetime, now: Instant) -> float:
    return (now.utc - since).total_seconds() / 3_600
