"""One act of carrying: proposes the drafts, and makes the load that a stick is to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import HOTLIST
from agent.bundles.repository.pending_files import keep_pending, was_withdrawn
from agent.bundles.repository.published import CityRepository, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.city.proposal import proposals
from agent.city.stick import contents, folder_on, read_stick, write_stick
from agent.city.stick_merge import require_same
from agent.core.text.plain_words import quoted_names
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.bundles.layout import CityIdentity
    from agent.bundles.repository.published import Pending, Published


@dataclass(frozen=True, slots=True)
class Load:
    """What goes onto the stick, all in memory: the folder here is free again while it is written.

    `proposed`: roles that were proposed by this act.
    """

    folder: Path
    files: Mapping[str, bytes]
    pending: Mapping[str, Pending]
    waits_for: Mapping[str, tuple[str, ...]]
    proposed: tuple[str, ...]

    def write(self) -> None:
        """Onto the stick. Raises StorageError."""
        write_stick(self.folder, self.files, self.pending)

    def lines(self) -> Iterator[str]:
        """For people."""
        for role, item in self.pending.items():
            yield (
                f"{role}, version {item.metadata.signed.version}"
                f"{' (proposed now)' if role in self.proposed else ''}: "
                f"to be signed by {quoted_names(self.waits_for[role], ' or ')}"
            )
        if not self.pending:
            yield "Nothing is proposed: what is drafted is published already."
        yield f"They type: platewarden bundle sign --city {self.folder} --key THEIRS.pem"
        yield f"Then, here: platewarden bundle take {self.folder.parent}"

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "folder": str(self.folder),
            "proposed": list(self.proposed),
            "pending": [
                {
                    "role": role,
                    "version": item.metadata.signed.version,
                    "waits_for": list(self.waits_for[role]),
                }
                for role, item in self.pending.items()
            ],
        }


def identity(city: CityRepository) -> CityIdentity:
    """Which city this is. Raises ConfigError, BundleRefusedError."""
    return drafts.identity_of(city, city.published(), city.pending())


def carry(folder: Path, stick: Path, renew: Sequence[str], at: Callable[[bool], datetime]) -> Load:
    """Propose, and make the load; only under `only_writer`.

    Raises UsageError, ConfigError, StorageError, PolicyRefusedError.
    """
    city = CityRepository(folder)
    published, pending = city.published(), city.pending()
    named = drafts.identity_of(city, published, pending)
    to = folder_on(stick, named)
    _require_taken(city, published, pending, to)
    made = list(proposals(city, published, pending, renew, at(named.rig)))
    for item in made:
        keep_pending(folder, item)
    carried = {role: item for role, item in city.pending().items() if role != HOTLIST}
    trust = trust_in(published, carried, folder)
    waits_for = {
        role: tuple(
            sorted(
                holder_of(key)
                for keyid, key in trust.holders(role).items()
                if keyid not in trust.counting(role, item.metadata)
            )
        )
        for role, item in carried.items()
    }
    return Load(
        to,
        contents(city, published),
        carried,
        waits_for,
        tuple(item.role for item in made),
    )


def _require_taken(
    city: CityRepository,
    published: Published | None,
    pending: Mapping[str, Pending],
    to: Path,
) -> None:
    """Refuse to write over signatures that are nowhere else. Raises UsageError, StorageError."""
    if not to.is_dir():
        return
    carried = read_stick(to)
    require_same(city, carried)
    for role, theirs in carried.pending.items():
        last = published.role(role) if published else None
        if last is not None and last.signed.version >= theirs.metadata.signed.version:
            continue
        if was_withdrawn(city.folder, theirs.metadata):
            continue
        ours = pending.get(role)
        trust = trust_in(published, {**pending, role: theirs}, city.folder)
        here = trust.counting(role, ours.metadata) if ours else frozenset()
        if new := trust.counting(role, theirs.metadata) - here:
            names = quoted_names(sorted(holder_of(trust.holders(role)[key]) for key in new))
            raise UsageError(
                f"holds a signature of {names} for role {role} that is not here yet",
                where=to,
                fix=f"take it first: platewarden bundle take {to.parent}",
            )
