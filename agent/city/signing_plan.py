"""What one signature would do, shown before it is done, and the signature itself.

It is kept beside the repository until there are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.repository.assembly import sign, told
from agent.bundles.repository.pending_files import add_signature, keep_pending
from agent.city import drafts, enrolments
from agent.disk.atomic_file import write_atomic
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securesystemslib.signer import Signer

    from agent.bundles.repository.published import CityRepository, Pending, Standing, Trust
    from agent.city.change_shown import Change
    from agent.city.drafts import Enrolled
    from agent.city.folder_seen import Seen


@dataclass(frozen=True, slots=True)
class Signed:
    """What one signature did to a role."""

    role: str
    version: int
    standings: tuple[Standing, ...]

    @property
    def missing(self) -> int:
        """Signatures that are still needed; where both present and new keys must sign a root, of
        whom more are missing.
        """
        return max(standing.missing for standing in self.standings)

    def told(self) -> str:
        """In words."""
        return f"{self.role}, version {self.version}: {'; '.join(map(told, self.standings))}."

    def table(self) -> dict[str, object]:
        """As plain values."""
        listed = [
            {
                "of": s.of,
                "threshold": s.threshold,
                "signed_by": list(s.signed),
                "not_by": list(s.unsigned),
                "missing": s.missing,
            }
            for s in self.standings
        ]
        return {
            "role": self.role,
            "version": self.version,
            "missing": self.missing,
            "standings": listed,
        }


@dataclass(slots=True)
class Plan:
    """Everything that would be signed, ready to be shown.

    `fresh`: roles whose version this signature begins; `enrolled`: new rosters for the drafts.
    """

    city: CityRepository
    seen: Seen
    trust: Trust
    signer: Signer
    holder: str
    items: dict[str, Pending]
    fresh: frozenset[str]
    change: Change
    notes: tuple[str, ...]
    enrolled: Enrolled | None

    @property
    def roles(self) -> tuple[str, ...]:
        """What is to be signed."""
        return tuple(self.items)

    def lines(self) -> Iterator[str]:
        """For the person who signs."""
        keyid = self.signer.public_key.keyid[:12]
        yield f"You are {self.holder}: key {keyid} is yours."
        yield ""
        shown = list(self.change.lines())
        yield from shown or ("Nothing changes; signing renews it.",)
        for role, item in self.items.items():
            how = (
                "a first signature begins this version"
                if role in self.fresh
                else "; ".join(map(told, self.trust.standings(role, item.metadata)))
            )
            yield (
                f"{role}, version {item.metadata.signed.version}, "
                f"until {item.metadata.signed.expires:%Y-%m-%d}: {how}"
            )
        yield from self.notes

    def sign(self) -> None:
        """Add the signature to all of them, in memory: a token that fails at the second role leaves
        the first unsigned, too, and one that waits for a touch holds nobody up.

        Raises ConfigError.
        """
        for item in self.items.values():
            sign(item.metadata, self.signer)

    def keep(self) -> list[Signed]:
        """Keep the signatures beside the repository; only under `only_writer`.

        Raises UsageError where the folder is no longer as it was shown, ConfigError, StorageError.
        """
        found = self.seen.again(self.items, self.enrolled)
        if self.enrolled is not None:
            enrolments.keep(self.city.folder, self.enrolled.files)
            write_atomic(self.city.folder / drafts.CAMERAS, self.enrolled.cameras, 0o644)
            write_atomic(self.city.folder / drafts.ROSTER, self.enrolled.roster, 0o644)
            write_atomic(self.city.folder / drafts.CITY_ROOT, self.enrolled.city_root, 0o644)
        done = []
        for role, item in self.items.items():
            dropped = role in self.fresh and role in self.seen.pending  # --start-again
            if role in found and not dropped:
                # Somebody else may have signed the same bytes meanwhile: both count.
                item.metadata.signatures = {
                    **found[role].metadata.signatures,
                    **item.metadata.signatures,
                }
                add_signature(self.city.folder, role, item.metadata)
            else:
                keep_pending(self.city.folder, item)
            done.append(
                Signed(
                    role, item.metadata.signed.version, self.trust.standings(role, item.metadata)
                )
            )
        return done
