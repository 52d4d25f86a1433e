"""One act of publishing, as `bundle publish` and `hotlist publish` do it: assemble, sign with the
online key, write, copy, and clear what was pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import (
    POLICY,
    POLICY_PATH,
    ROOT,
    SOFTWARE,
    TARGETS,
    recipient_of,
)
from agent.bundles.repository.assembly import (
    Candidate,
    Files,
    assemble,
    require_holds_online,
    sign_online,
    told,
)
from agent.bundles.repository.copies import require_newest, require_no_newer
from agent.bundles.repository.pending_files import drop_pending
from agent.bundles.repository.published import (
    REPOSITORY_FOLDER,
    CityRepository,
    Standing,
    delegations,
    trust_in,
)
from agent.bundles.repository.writer import mirror, publish
from agent.city import drafts
from agent.city.camera_verdict import Verdict, verdict
from agent.city.endings import Ending, endings
from agent.core.policy.policy import require_in_force
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.errors import (
    BundleRefusedError,
    ConfigError,
    PlatewardenError,
    PolicyRefusedError,
    StorageError,
    UsageError,
)
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from securesystemslib.signer import Signer

    from agent.bundles.repository.published import Pending, Published


@dataclass(frozen=True, slots=True)
class Done:
    """`taken`: roles with a new version; `waiting`: roles that lack signatures; `absent`: roles
    that were never published; `at`: None where nothing was written.

    `not_copied`: copies that could not be written, and why; `camera`: what a camera makes of it;
    `ends`: what ends within 30 days, or has ended, at `now`.
    """

    taken: tuple[str, ...]
    waiting: Mapping[str, tuple[Standing, ...]]
    absent: tuple[str, ...]
    versions: Mapping[str, int]
    at: datetime | None
    until: datetime | None
    to: tuple[Path, ...]
    not_copied: Mapping[Path, PlatewardenError]
    camera: Verdict
    ends: tuple[Ending, ...]
    now: datetime

    @property
    def exit_code(self) -> int:
        """3: cameras stop, or something in them does; 1: a copy is missing; else 0."""
        if self.camera.refusal is not None or any(one.ended(self.now) for one in self.ends):
            return 3
        return 1 if self.not_copied else 0

    def warnings(self) -> Iterator[str]:
        """For people: what must not be overlooked."""
        if self.camera.refusal is not None:
            yield self.camera.line()
        for folder, error in self.not_copied.items():
            yield f"Not copied to {folder}: {error.what} ({error.fix})"
        for one in self.ends:
            if one.ended(self.now):
                yield one.line(self.now)

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.at is None:
            yield "Nothing new to publish. The daily job gives --renew."
        else:
            new = (
                ", ".join(f"{role} {self.versions[role]}" for role in self.taken)
                or "nothing new, renewed"
            )
            yield (
                f"Published at {rfc3339(self.at)}: {new}. "
                f"Cameras take this until {self.until:%Y-%m-%d %H:%M} UTC; "
                "publish with --renew before."
            )
        for folder in self.to:
            yield f"Copied to {folder}."
        for role, standings in self.waiting.items():
            yield f"Still pending: {role} {'; '.join(map(told, standings))}."
        for role in self.absent:
            lacks = "installed" if role == SOFTWARE else "looked for"
            yield (
                f"Not there yet: {role} "
                f"(nothing is {'sealed to it' if recipient_of(role) else lacks})."
            )
        for one in self.ends:
            if not one.ended(self.now):
                yield one.line(self.now)
        if self.camera.refusal is None:
            yield self.camera.line()

    def table(self) -> dict[str, object]:
        """As plain values."""
        waiting = {
            role: {
                "missing": max((one.missing for one in found), default=0),
                "signed_by": [n for one in found for n in one.signed],
            }
            for role, found in self.waiting.items()
        }
        return {
            "published": self.at is not None,
            "roles": list(self.taken),
            "versions": dict(self.versions),
            "issued": rfc3339(self.at) if self.at else None,
            "expires": rfc3339(self.until) if self.until else None,
            "waiting": waiting,
            "absent": list(self.absent),
            "copied_to": [str(folder) for folder in self.to],
            "not_copied": [
                {"folder": str(folder), "why": error.what}
                for folder, error in self.not_copied.items()
            ],
            "camera": self.camera.table(),
            "ends": [one.table(self.now) for one in self.ends],
        }


def publish_city(
    folder: Path,
    signer: Signer,
    at: Callable[[bool], datetime],
    *,
    renew: bool,
    to: Sequence[Path] = (),
) -> Done:
    """Publish what is complete.

    `at`: the time, told whether the city is a rig's. Raises what the parts raise; then nothing
    changed.
    """
    city, repository = CityRepository(folder), folder / REPOSITORY_FOLDER
    require_newest(repository)
    for copy in to:
        require_no_newer(repository, copy)
    published = city.published()
    pending = _without_published(city, published)
    trust_in(published, pending, folder)  # raises where there is no repository
    identity = drafts.identity_of(city, published, pending)
    now = at(identity.rig)
    candidate = _assembled(city, published, pending, now, renew=renew)
    if not renew:
        _require_signed(candidate)
    absent = tuple(
        role for role in delegations(candidate.targets.signed) if role not in candidate.delegated
    )
    require_holds_online(candidate.root, signer)
    at_, until, versions = None, None, {}
    if candidate.taken or renew:
        files = _write(city, candidate, signer, now)
        at_, until, versions = now, files.expires, dict(files.versions)
    copied, not_copied = _copy(repository, to)
    after = city.published()
    assert after is not None  # noqa: S101 (for mypy: it was published before, or just now)
    camera = _verdict(after, (repository, *copied), now, rig=identity.rig)
    return Done(
        tuple(candidate.taken),
        candidate.waiting,
        absent,
        versions,
        at_,
        until,
        copied,
        not_copied,
        camera,
        _ends(city, after, camera, now),
        now,
    )


def as_published(city: CityRepository, published: Published, now: datetime, *, rig: bool) -> Done:
    """What a camera makes of what is published, where nothing new is.

    Raises what the parts raise.
    """
    camera = _verdict(published, (city.folder / REPOSITORY_FOLDER,), now, rig=rig)
    ends = _ends(city, published, camera, now)
    return Done((), {}, (), {}, None, None, (), {}, camera, ends, now)


def _write(city: CityRepository, candidate: Candidate, signer: Signer, now: datetime) -> Files:
    """Sign with the online key, write, and clear what was pending."""
    _require_lawful(city, candidate, now)
    files = sign_online(city, candidate, signer, now)
    publish(city.folder / REPOSITORY_FOLDER, files.metadata, files.targets, files.timestamp)
    for role in candidate.taken:
        drop_pending(city.folder, role)
    return files


def _require_signed(candidate: Candidate) -> None:
    """Refuse to publish while something lacks signatures. Raises BundleRefusedError."""
    for role, standings in candidate.waiting.items():
        what = (
            f"role {role} {'; '.join(map(told, standings)) or 'is signed by nobody who holds it'}"
        )
        fix = (
            f"those who are missing type: platewarden bundle sign --role {role}; "
            "or publish the rest with --renew"
        )
        raise BundleRefusedError(Reason.BUNDLE_SIGNATURE_THRESHOLD, what, fix=fix)


def _copy(
    repository: Path, to: Sequence[Path]
) -> tuple[tuple[Path, ...], dict[Path, PlatewardenError]]:
    """Copies that were written, and those that were not: one bad stick costs that stick."""
    copied: list[Path] = []
    failed: dict[Path, PlatewardenError] = {}
    for copy in to:
        try:
            mirror(repository, copy)
            copied.append(copy)
        except (StorageError, UsageError) as error:
            failed[copy] = error
    return tuple(copied), failed


def _ends(
    city: CityRepository, published: Published, camera: Verdict, now: datetime
) -> tuple[Ending, ...]:
    """What ends soon, or has; nothing where a file is gone, which the camera's verdict tells."""
    try:
        return tuple(one for one in endings(city, published, now) if one.soon(now))
    except ConfigError:
        if camera.refusal is None:
            raise
        return ()


def _verdict(
    published: Published, repositories: Sequence[Path], now: datetime, *, rig: bool
) -> Verdict:
    """The first refusal of any of them."""
    found = [verdict(published, one, now, rig=rig) for one in repositories]
    return next((one for one in found if one.refusal is not None), found[0])


def _without_published(city: CityRepository, published: Published | None) -> dict[str, Pending]:
    """What is pending, less what an interrupted publish has published and not cleared."""
    pending = city.pending()
    for role, item in tuple(pending.items()):
        last = published.role(role) if published else None
        if last is not None and last.to_bytes() == item.metadata.to_bytes():
            drop_pending(city.folder, role)
            del pending[role]
    return pending


def _assembled(
    city: CityRepository,
    published: Published | None,
    pending: Mapping[str, Pending],
    now: datetime,
    *,
    renew: bool,
) -> Candidate:
    """The daily job must not stop because people are in the middle of a change of keys, or signed a
    policy ahead of its day: then that waits.
    """
    whole = pending
    if renew and published is not None:
        pending = {
            role: item
            for role, item in pending.items()
            if role != POLICY or not _too_early(city, published, item, now)
        }
    try:
        candidate = assemble(city, published, pending)
    except BundleRefusedError as error:
        if not renew or published is None or error.reason != Reason.BUNDLE_SIGNATURE_THRESHOLD:
            raise
        candidate = assemble(
            city,
            published,
            {role: item for role, item in pending.items() if role not in {ROOT, TARGETS}},
        )
    trust = trust_in(published, whole, city.folder)
    left = {
        role: trust.standings(role, item.metadata)
        for role, item in whole.items()
        if role not in candidate.taken
    }
    return replace(candidate, waiting=left)


def _too_early(
    city: CityRepository, published: Published | None, item: Pending, now: datetime
) -> date | None:
    """The day on which a pending policy takes effect, where that is later than today."""
    text = drafts.files_pending(city, published, item).get(POLICY_PATH)
    effective = parse_policy(text, drafts.POLICY_TOML).effective if text else now.date()
    return effective if effective > now.date() else None


def _require_lawful(city: CityRepository, candidate: Candidate, now: datetime) -> None:
    """Charter and policy that were signed apart fit together, and a new policy is in force: a
    camera refuses the whole otherwise.

    Raises PolicyRefusedError.
    """
    texts = drafts.published_texts(city, candidate.published)
    for role in (TARGETS, POLICY):
        if role in candidate.taken:
            texts = texts.over(
                drafts.files_pending(city, candidate.published, candidate.taken[role])
            )
    texts.require_lawful()
    if POLICY in candidate.taken and texts.policy is not None:
        try:
            require_in_force(parse_policy(texts.policy, drafts.POLICY_TOML), Instant(now))
        except PolicyRefusedError as error:
            fix = (
                "it stays pending; publish on that day, or let the daily job (--renew)"
                if error.reason == Reason.POLICY_NOT_IN_FORCE
                else error.fix
            )
            raise PolicyRefusedError(error.reason, error.what, where=error.where, fix=fix) from None
