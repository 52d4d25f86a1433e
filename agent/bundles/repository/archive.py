"""What was published when: every publication that a city keeps, verified as it was then
(docs/ref/bundles.md#the-archive).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.bundles.layout import POLICY, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from agent.bundles.repository.assembly import issued_of
from agent.bundles.repository.copies import TIMESTAMP_FILE, past_timestamps
from agent.bundles.repository.published import REPOSITORY_FOLDER
from agent.core.text.rfc3339 import rfc3339
from agent.errors import ConfigError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from agent.bundles.repository.published import CityRepository, Published

_INSTANT = timedelta(milliseconds=1)  # times are signed to the millisecond


@dataclass(frozen=True, slots=True)
class Publication:
    """One publish. `number`: of its timestamp; `issued`: when it was signed; `lapses`: from when on
    cameras release nothing under it, unless a newer one has come: the end of the role that ends
    first. It can lie before `issued`, where the daily job goes on over a policy that has ended.
    """

    number: int
    issued: datetime
    lapses: datetime
    published: Published

    def version(self, role: str) -> int:
        """Of a role's metadata; 0 where it was not published."""
        metadata = self.published.role(role)
        return metadata.signed.version if metadata is not None else 0


class Archive:
    """Every publication of a city, the first one first.

    Everything raises ConfigError or StorageError naming the file and the next step.
    """

    def __init__(self, city: CityRepository) -> None:
        self._city, self._seen = city, dict[int, Publication]()
        self._paths = past_timestamps(city.folder / REPOSITORY_FOLDER)
        current = city.metadata / TIMESTAMP_FILE
        if current.exists():
            newest = city.under(current).timestamp.signed.version
            self._paths.setdefault(newest, current)
        self._numbers = sorted(self._paths)
        if not self._paths:
            raise ConfigError(
                "nothing is published",
                where=city.folder,
                fix="correct --city, or publish first: platewarden bundle publish",
            )

    def publications(self) -> Iterator[Publication]:
        """All that are kept."""
        return map(self._verified, self._numbers)

    def at(self, moment: datetime) -> Publication:
        """What was published last at a moment.

        Raises UsageError where the archive does not know.
        """
        numbers = self._numbers
        # Issue times rise with the numbers: a publish refuses to be signed before the last one.
        after = bisect_right(numbers, moment, key=lambda number: self._publication(number).issued)
        if after == 0:
            first = self._publication(numbers[0])
            raise _unknown(moment, f"the archive begins at {rfc3339(first.issued)}")
        found = self._publication(numbers[after - 1])
        if after < len(numbers) and numbers[after] != found.number + 1:
            what = f"publish {found.number + 1}, the next after {rfc3339(found.issued)}"
            raise _unknown(moment, f"{what}, is not kept")
        return found

    def first_with(self, role: str, version: int) -> Publication:
        """The first that is kept with at least that version of a role."""
        numbers = self._numbers
        first = bisect_left(
            numbers, version, key=lambda number: self._publication(number).version(role)
        )
        return self._publication(numbers[first])

    def between(self, start: datetime, end: datetime) -> tuple[Publication, ...]:
        """What was in force at the moments of a stretch of time, the first one first; from where on
        the archive knows it.

        Raises UsageError where it does not know the end.
        """
        found = [self.at(end)]
        while found[0].issued > start:
            try:
                found.insert(0, self.at(found[0].issued - _INSTANT))
            except UsageError:
                break
        return tuple(found)

    def _publication(self, number: int) -> Publication:
        """Verified once: a search comes by the same few again and again."""
        if number not in self._seen:
            self._seen[number] = self._verified(number)
        return self._seen[number]

    def _verified(self, number: int) -> Publication:
        published = self._city.under(self._paths[number])
        return Publication(number, issued_of(published), _lapses(published), published)


def _lapses(published: Published) -> datetime:
    """When the first of the roles ends without which a camera releases nothing."""
    needed = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, POLICY)
    roles = (published.role(name) for name in needed)
    ends: list[datetime] = [role.signed.expires for role in roles if role is not None]
    return min(ends)


def _unknown(moment: datetime, why: str) -> UsageError:
    return UsageError(
        f"what was in force at {rfc3339(moment)} is not known here: {why}",
        where="--on",
        fix="name another day, or another copy of the repository",
    )
