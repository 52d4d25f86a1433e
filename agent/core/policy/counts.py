"""Counts sightings and drops per UTC hour: all that remains of a sighting that nothing releases
(P1).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from agent.core.policy.policy import Decision
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.values import dataclass, field


@dataclass(slots=True)
class _Hour:
    seen: int = 0
    unreadable: int = 0
    sightings: int = 0
    released: int = 0
    dropped: int = 0
    tests: int = 0
    stills: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Counts:
    """Numbers per hour, never anything about a vehicle.

    `flush` gives each finished hour once, to be logged as a `counts` leaf.

    A quiet hour counts too, as zeros: silence in the log then means that the camera was off.
    """

    def __init__(self) -> None:
        self._hours: dict[datetime, _Hour] = {}

    def saw(self, plates: int, at: Instant) -> None:
        """Count the plates found in one frame, whether or not they could be read."""
        if plates:
            self._hour(at).seen += plates

    def unreadable(self, at: Instant) -> None:
        """Count one track that nobody could read: a plate too small or blurred, or a sign that the
        detector took for one.
        """
        self._hour(at).unreadable += 1

    def test(self, at: Instant) -> None:
        """Count one sighting of a rehearsal's plate, released or not; `add` counts it as a sighting
        besides.
        """
        self._hour(at).tests += 1

    def still(self, at: Instant) -> None:
        """Count one picture that has nothing to do with the others: its plates are sightings each,
        also of one vehicle.
        """
        self._hour(at).stills += 1

    def add(self, decision: Decision, at: Instant) -> None:
        """Count one sighting.

        A drop counts once under each different reason that its rules gave.
        """
        hour = self._hour(at)
        hour.sightings += 1
        if decision.releases:
            hour.released += 1
            return
        hour.dropped += 1
        hour.reasons.update({reason.value for reason in decision.reasons})

    def refuse(self, reason: Reason | str, at: Instant) -> None:
        """Count a release that was decided and then refused (no epoch key, outbox full); the
        sighting itself is counted by `add`.
        """
        self._hour(at).reasons[str(reason)] += 1

    def flush(self, at: Instant) -> tuple[Mapping[str, object], ...]:
        """The details of every counted hour but the one that holds `at`; these are forgotten here.

        Opens the hour of `at`.

        A clock that is set back can give the same hour twice: a reader of the log adds them up.
        """
        current = _start(at)
        done = tuple(
            _details(start, hour) for start, hour in sorted(self._hours.items()) if start != current
        )
        self._hours = {current: self._hour(at)}
        return done

    def close(self) -> tuple[Mapping[str, object], ...]:
        """All that is left, the running hour included: for an orderly stop."""
        done = tuple(_details(start, hour) for start, hour in sorted(self._hours.items()))
        self._hours = {}
        return done

    def _hour(self, at: Instant) -> _Hour:
        return self._hours.setdefault(_start(at), _Hour())


def _start(at: Instant) -> datetime:
    return at.utc.replace(minute=0, second=0, microsecond=0)


def _details(start: datetime, hour: _Hour) -> Mapping[str, object]:
    return {
        "hour": rfc3339(start),
        "seen": hour.seen,
        "unreadable": hour.unreadable,
        "sightings": hour.sightings,
        "released": hour.released,
        "dropped": hour.dropped,
        "tests": hour.tests,
        **({"stills": hour.stills} if hour.stills else {}),
        "reasons": dict(sorted(hour.reasons.items())),
    }
