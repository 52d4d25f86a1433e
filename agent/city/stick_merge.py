"""Lays what came back on a stick over what is pending here: of the same version all signatures
count, in whatever order sticks come; another one is told and left.

A stick is trusted with nothing: what it brings must carry a signature that counts here, or it is
left where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import (
    CITY_PATH,
    MAX_TARGET_BYTES,
    POLICY,
    ROOT,
    ROSTER_PATH,
    rule_of,
)
from agent.bundles.repository.assembly import require_next, told
from agent.bundles.repository.next_version import require_end, require_own
from agent.bundles.repository.pending_files import add_signature, keep_pending, was_withdrawn
from agent.bundles.repository.published import keys_of, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts, enrolments
from agent.core.text.plain_words import quoted_names
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import BundleRefusedError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from agent.bundles.repository.published import CityRepository, Pending, Published, Standing
    from agent.city.stick import Carried

_MAX_DRAFT_BYTES = MAX_TARGET_BYTES[ROSTER_PATH]  # the largest of them


@dataclass(frozen=True, slots=True)
class Taken:
    """One role that was taken. `new`: whose signatures were not here before; `drafts`: those that
    were brought up to date with it.
    """

    role: str
    version: int
    new: tuple[str, ...]
    standings: tuple[Standing, ...]
    drafts: tuple[str, ...]

    def line(self) -> str:
        """For people."""
        by = f"signature of {quoted_names(self.new)}" if self.new else "nothing that was not here"
        with_ = f" ({', '.join(self.drafts)} with it)" if self.drafts else ""
        return (
            f"{self.role}, version {self.version}: {by}{with_}; "
            f"{'; '.join(map(told, self.standings))}."
        )


@dataclass(frozen=True, slots=True)
class Left:
    """One role that was not taken, and why. `harmless`: it is here already."""

    role: str
    why: str
    fix: str = ""
    harmless: bool = False

    def line(self) -> str:
        """For people."""
        return f"{self.role}: not taken: {self.why}{f' ({self.fix})' if self.fix else ''}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one stick brought."""

    taken: tuple[Taken, ...]
    left: tuple[Left, ...]

    @property
    def exit_code(self) -> int:
        """3: something that a person must look at was left."""
        return 3 if any(not one.harmless for one in self.left) else 0

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "taken": [
                {
                    "role": one.role,
                    "version": one.version,
                    "new_signatures": list(one.new),
                    "missing": max((s.missing for s in one.standings), default=0),
                    "drafts": list(one.drafts),
                }
                for one in self.taken
            ],
            "left": [
                {"role": one.role, "why": one.why, "fix": one.fix, "here_already": one.harmless}
                for one in self.left
            ],
        }


def require_same(city: CityRepository, carried: Carried) -> None:
    """Refuse another city's folder, whatever it is called. Raises UsageError, StorageError."""
    ours = city.metadata / f"1.{ROOT}.json"
    if carried.first_root is not None and (
        not ours.is_file() or ours.read_bytes() != carried.first_root
    ):
        raise UsageError(
            "is another city's, or of another founding",
            where=carried.folder,
            fix="look at its key ids: platewarden bundle show --city THERE",
        )


def take(city: CityRepository, carried: Carried, now: datetime) -> Outcome:
    """Take each role's version or its signatures; only under `only_writer`.

    Raises StorageError where this machine cannot write: what was taken before stays, and the stick
    can be taken again.
    """
    require_same(city, carried)
    published, pending = city.published(), dict(city.pending())
    taken = []
    left = [Left(role, error.what, error.fix) for role, error in carried.damaged.items()]
    for role, theirs in carried.pending.items():  # root first, then targets: whose keys count
        try:
            one = _taken(city, published, pending, theirs, now)
        except (UsageError, BundleRefusedError) as error:
            where = f"{error.where}: " if error.where and role not in error.where else ""
            left.append(Left(role, f"{where}{error.what}", error.fix))
            continue
        if one is None:
            left.append(Left(role, "it is published already", harmless=True))
        else:
            taken.append(one)
    if POLICY in {one.role for one in taken}:
        _keep_enrolments(city, carried.pending[POLICY], published, carried.enrolments)
    return Outcome(tuple(taken), tuple(left))


def _keep_enrolments(
    city: CityRepository,
    policy: Pending,
    published: Published | None,
    untrusted_files: Mapping[str, bytes],
) -> None:
    """The files of cameras that were enrolled on the stick, so that who signs here sees their
    fingerprints. Raises StorageError.
    """
    roster = drafts.Texts().over(drafts.files_pending(city, published, policy)).enrolled()
    here = enrolments.kept(city.folder)
    if roster is not None:
        fitting = enrolments.fingerprints(roster, roster.devices, untrusted_files)
        new = {name: untrusted_files[name] for name in fitting if name not in here}
        enrolments.keep(city.folder, new)


def _taken(
    city: CityRepository,
    published: Published | None,
    pending: dict[str, Pending],
    theirs: Pending,
    now: datetime,
) -> Taken | None:
    """Take one role; None: it is published. `pending` then holds it."""
    role, last = theirs.role, published.role(theirs.role) if published else None
    if last is not None and last.signed_bytes == theirs.metadata.signed_bytes:
        return None
    _require_sound(city, published, theirs, now)
    ours = pending.get(role)
    counting = _counting(city, published, pending, theirs)
    here = ours.metadata.signatures if ours else {}
    brought = {key: theirs.metadata.signatures[key] for key in counting}
    theirs.metadata.signatures = {**here, **brought}
    stale = _stale_drafts(city, published, theirs, strict=ours is None)
    if ours is None:
        keep_pending(city.folder, theirs)
    elif counting.keys() - here.keys():
        add_signature(city.folder, role, theirs.metadata)
    for name, data in stale.items():
        write_atomic(city.folder / name, data, 0o644)
    pending[role] = theirs
    trust = trust_in(published, pending, city.folder)
    return Taken(
        role,
        theirs.metadata.signed.version,
        tuple(sorted(counting[key] for key in counting.keys() - here.keys())),
        trust.standings(role, theirs.metadata),
        tuple(sorted(stale)),
    )


def _require_sound(
    city: CityRepository, published: Published | None, theirs: Pending, now: datetime
) -> None:
    """What no signature makes good. Raises UsageError, BundleRefusedError, ConfigError."""
    role, metadata = theirs.role, theirs.metadata
    rule = rule_of(role)
    if rule is None or rule.online:
        raise UsageError("is no role that people sign", fix="remove it from the stick")
    require_next(role, theirs, published)
    require_end(role, metadata, now)
    if role != ROOT:
        require_own(role, {path: one.length for path, one in metadata.signed.targets.items()})
        drafts.files_pending(city, published, theirs)  # raises where a file is missing
    if was_withdrawn(city.folder, metadata):
        raise UsageError(
            "this version was withdrawn here",
            fix="whoever still wants it begins it anew: bundle sign, with these drafts",
        )


def _counting(
    city: CityRepository,
    published: Published | None,
    pending: Mapping[str, Pending],
    theirs: Pending,
) -> dict[str, str]:
    """Whose signatures on the stick count here, by key id. Raises UsageError, ConfigError."""
    role, ours = theirs.role, pending.get(theirs.role)
    trust = trust_in(published, {**pending, role: theirs}, city.folder)
    if ours is not None and ours.metadata.signed_bytes != theirs.metadata.signed_bytes:
        raise UsageError(
            f"another version {ours.metadata.signed.version} is pending here than on the stick: "
            f"here {_signed(trust.standings(role, ours.metadata))}, "
            f"there {_signed(trust.standings(role, theirs.metadata))}",
            fix=f"agree on one, and give the other up: bundle withdraw --role {role}",
        )
    holders = trust.holders(role)
    found = {key: holder_of(holders[key]) for key in trust.counting(role, theirs.metadata)}
    # Whoever proposes keys cannot vouch for them by these very keys.
    known = keys_of(published.root.signed, ROOT) if role == ROOT and published else holders
    if ours is None and not found.keys() & known.keys():
        raise UsageError(
            "nobody who holds this role has signed it",
            fix="a first signature is made on the stick: bundle sign --city THERE",
        )
    return found


def _stale_drafts(
    city: CityRepository, published: Published | None, theirs: Pending, *, strict: bool
) -> dict[str, bytes]:
    """The drafts here that are still as published, and so older than what is taken, by name.

    `strict`: refuse one that was edited here too. Raises UsageError, StorageError.
    """
    if theirs.role not in drafts.DRAFT_OF:
        return {}
    before, found = drafts.files_of(city, published, theirs.role), {}
    for path, data in drafts.files_pending(city, published, theirs).items():
        draft = city.folder / drafts.draft_file(path)
        here = read_bounded(draft, _MAX_DRAFT_BYTES) if draft.is_file() else None
        if path == CITY_PATH or here == data:
            continue
        if here is None or here == before.get(path):
            found[drafts.draft_file(path)] = data
        elif strict:
            raise UsageError(
                f"the draft {drafts.draft_file(path)} here was changed, and is not the stick's",
                fix="keep one of the two: put the other aside, then take the stick again",
            )
    return found


def _signed(standings: tuple[Standing, ...]) -> str:
    names = sorted({name for one in standings for name in one.signed})
    return f"signed by {quoted_names(names)}"
