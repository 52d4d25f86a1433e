"""`platewarden hotlist publish`: the city's list, encrypted to all enrolled cameras, signed by its
owner, published.

Made for cron.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import (
    BINARY,
    MAX_PLAIN_BYTES,
    PLAIN,
    list_folder,
    modified,
    read_compiled,
    read_manual,
)
from agent.bundles.hotlist_hands import lawful, left_out, require_within
from agent.bundles.layout import CHANGES_PATH, HOTLIST, HOTLIST_PATH, MANUAL_PATH, ROLES
from agent.bundles.repository.assembly import require_holds_online, sign
from agent.bundles.repository.next_version import next_version
from agent.bundles.repository.pending_files import keep_pending
from agent.bundles.repository.published import CityRepository, Pending, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.city.city_log import city_log
from agent.city.hotlist_changes import Before
from agent.city.hotlist_ciphertexts import Sealed, seal
from agent.city.hotlist_kept import Cameras, Kept, cameras_of, hashes, read_kept, write_kept
from agent.city.hotlist_overview import issuers_in
from agent.city.publication import as_published, publish_city
from agent.core.hotlist.compiled_format import MAX_FILE_BYTES
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.policy.charter import parse_charter
from agent.core.policy.policy import HotlistLimits
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.rfc3339 import parse_rfc3339
from agent.disk.input_file import input_chunks, read_input
from agent.errors import ConfigError, UsageError
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from securesystemslib.signer import Signer
    from tuf.api.metadata import Metadata

    from agent.bundles.repository.published import Published
    from agent.city.publication import Done
    from agent.core.policy.schema.hotlist_rules import HotlistRules


@dataclass(frozen=True, slots=True)
class Sent:
    """What happened.

    `how`: `encrypted` (a new list, or other cameras), `renewed` (the same, signed anew) or
    `unchanged`. `outcome`: what a camera makes of what is published; None without an online key.
    `left_out`: additions by hand that wait for a second hand; `changes`: what the changes of the
    list have, sealed, in bytes; 0: none were encrypted now.
    """

    how: str
    version: int
    entries: int
    cameras: int
    as_of: datetime
    stale_after: datetime
    expires: datetime
    published: bool
    outcome: Done | None
    left_out: int = 0
    changes: int = 0

    @property
    def exit_code(self) -> int:
        """As of `bundle publish`: 3 where cameras stop. 0 where nothing is published here."""
        return self.outcome.exit_code if self.outcome else 0

    def warnings(self) -> Iterator[str]:
        """For people: what must not be overlooked, as `bundle publish` tells it."""
        if self.left_out:
            yield (
                f"{self.left_out} additions by hand are not in it: as they are, the charter does "
                "not permit them. Another person signs: platewarden hotlist approve"
            )
        if self.outcome is not None:
            yield from self.outcome.warnings()

    def table(self) -> dict[str, object]:
        """As plain values, which name no plate."""
        times = {
            name: getattr(self, name).strftime("%Y-%m-%dT%H:%M:%SZ")
            for name in ("as_of", "stale_after", "expires")
        }
        return {
            "result": self.how,
            "published": self.published,
            "version": self.version,
            "entries": self.entries,
            "cameras": self.cameras,
            "left_out": self.left_out,
            "changes_bytes": self.changes,
            **times,
            **(_told_of(self.outcome) if self.outcome else {}),
        }

    def told(self) -> str:
        """For people and for cron's mail."""
        if self.how == "unchanged":
            return (
                f"unchanged: version {self.version} of the same list is published, "
                f"until {self.expires:%Y-%m-%d %H:%M} UTC"
            )
        what = (
            f"version {self.version}, {self.entries} entries for {self.cameras} cameras, "
            f"until {self.expires:%Y-%m-%d %H:%M} UTC"
        )
        as_changes = f" as changes of {self.changes:,} bytes" if self.changes else ""
        return (
            f"{self.how}{as_changes} and "
            f"{'published' if self.published else 'signed; `bundle publish --renew` takes it'}: "
            f"{what}"
        )


@dataclass(frozen=True, slots=True)
class _List:
    """The plain files, as cameras will open them."""

    files: Mapping[str, bytes]
    entries: int
    as_of: datetime
    left_out: int


def publish_list(
    folder: Path,
    signer: Signer,
    online: Signer | None,
    at: Callable[[bool], datetime],
    *,
    whole: bool = False,
) -> Sent:
    """Encrypt, sign and publish.

    Does nothing where the same list for the same cameras is published and not half through its
    life. `whole`: encrypt it anew all the same, and no changes. Raises what the parts raise.
    """
    city = CityRepository(folder)
    published, pending = _published(city), city.pending()
    _require_holders(published, pending, folder, signer, online)
    rig = drafts.identity_of(city, published, pending).rig
    now = at(rig)
    texts = drafts.published_texts(city, published)
    cameras = _cameras(texts, published, folder)
    listed, before = _read(folder, now, _rules(texts, folder)), published.role(HOTLIST)
    digest, kept = cameras.digest(listed.files), _kept(folder, now, whole=whole)
    same = before is not None and kept.is_of(digest, before.signed)
    fresh = before is not None and before.signed.expires - now > ROLES[HOTLIST].lifetime / 2
    outcome, sealed = None, None
    if same and fresh and before is not None:
        how, metadata, out = "unchanged", before, True
        outcome = as_published(city, published, now, rig=rig) if online is not None else None
    else:
        how, out = "renewed" if same else "encrypted", online is not None
        if not same:
            sealed, kept = _sealed(folder, listed, cameras, Before(city, before, kept, now))
        metadata = _keep_signed(folder, before, sealed, signer, now)
        write_kept(folder, replace(kept, files=hashes(metadata.signed)))
        if online is not None:
            outcome = publish_city(folder, online, lambda _rig: now, renew=True)
    return Sent(
        how,
        metadata.signed.version,
        listed.entries,
        len(cameras.age),
        listed.as_of,
        listed.as_of + _max_age(texts),
        metadata.signed.expires,
        published=out,
        outcome=outcome,
        left_out=listed.left_out,
        changes=len(sealed.new.get(CHANGES_PATH, b"")) if sealed else 0,
    )


def _published(city: CityRepository) -> Published:
    """What is published. Raises ConfigError where nothing is."""
    published = city.published()
    if published is None:
        raise ConfigError(
            "nothing is published yet",
            where=city.folder,
            fix="the clerk publishes first: platewarden bundle publish",
        )
    return published


def _kept(folder: Path, now: datetime, *, whole: bool) -> Kept:
    """What may go on as it was encrypted: nothing of it where the whole is asked for, or where
    changes lie beside a list that is too old for them.
    """
    kept = read_kept(folder)
    over = CHANGES_PATH in kept.files and not kept.young(now)
    return Kept() if whole or over else kept


def _sealed(folder: Path, listed: _List, cameras: Cameras, before: Before) -> tuple[Sealed, Kept]:
    """The ciphertexts, and what to keep of them; the log says first what will be done."""
    digest, made = cameras.digest(listed.files), seal(listed.files, cameras, before)
    _tell(folder, listed, digest, before.version + 1)
    return made, made.kept(digest, cameras, before)


def _tell(folder: Path, listed: _List, digest: str, version: int) -> None:
    with city_log(folder) as log:
        log.tell(
            {
                "act": "publish",
                "version": version,
                "entries": listed.entries,
                "digest": log.digest_of(digest),
            }
        )


def _told_of(outcome: Done) -> dict[str, object]:
    """A camera's verdict and what ends, as `bundle publish --json` tells them."""
    table = outcome.table()
    return {name: table[name] for name in ("camera", "ends", "waiting")}


def _keep_signed(
    folder: Path,
    before: Metadata[Any] | None,
    sealed: Sealed | None,
    signer: Signer,
    now: datetime,
) -> Metadata[Any]:
    """The role's next version, signed and kept until it is published.

    `sealed`: the ciphertexts; None: those of the version before.
    """
    files, same = (sealed.new, sealed.same) if sealed else (None, frozenset[str]())
    metadata = next_version(before, HOTLIST, files, now, same)
    sign(metadata, signer)
    keep_pending(folder, Pending(HOTLIST, metadata, files or {}))
    return metadata


def _cameras(texts: drafts.Texts, published: Published, folder: Path) -> Cameras:
    """All enrolled cameras that can open a list. Raises ConfigError where there is none."""
    enrolled = texts.enrolled()
    if enrolled is None or not enrolled.age:
        raise ConfigError(
            "no camera is enrolled that could open a list",
            where=folder,
            fix="enrol cameras first: platewarden bundle sign --enrol",
        )
    return cameras_of(enrolled.age, published.targets.signed)


def _rules(texts: drafts.Texts, folder: Path) -> HotlistRules:
    """The published charter's: cameras hold the list against it."""
    if texts.charter is None:
        return CityFolder(folder).charter().hotlist
    return parse_charter(texts.charter, drafts.CHARTER).hotlist


def _max_age(texts: drafts.Texts) -> timedelta:
    limits = (
        parse_policy(texts.policy, drafts.POLICY_TOML).hotlist if texts.policy else HotlistLimits()
    )
    return timedelta(hours=limits.max_age_hours)


def _require_holders(
    published: Published,
    pending: Mapping[str, Pending],
    folder: Path,
    signer: Signer,
    online: Signer | None,
) -> None:
    """The list's owner signs, and the online key publishes. Raises UsageError."""
    held = trust_in(
        published, {role: item for role, item in pending.items() if role != HOTLIST}, folder
    ).holders(HOTLIST)
    if signer.public_key.keyid not in held:
        told = ", ".join(sorted(map(holder_of, held.values())))
        raise UsageError(
            "this key does not hold role hotlist", where="--key", fix=f"held by: {told}"
        )
    if online is not None:
        require_holds_online(published.root, online)


def _read(folder: Path, now: datetime, rules: HotlistRules) -> _List:
    """The compiled list, made from hotlist.csv where there is no hotlist.bin; and what was added
    and withdrawn by hand.

    Raises ConfigError.
    """
    with city_log(folder) as log:
        log.require_as_logged()
    today, lists = now.date(), list_folder(folder)
    binary = lists / BINARY
    if binary.exists():
        compiled = read_compiled(folder, today)
        data = read_input(binary, MAX_FILE_BYTES, missing="run `platewarden hotlist import`")
    else:
        plain = lists / PLAIN
        chunks = input_chunks(
            plain,
            MAX_PLAIN_BYTES,
            missing="run `platewarden hotlist import`; a list of the header alone is a valid list",
        )
        made = import_list(
            Source(chunks, str(plain), modified(plain)),
            CityFolder(folder).charter().allowed_categories,
            today,
            doubts=RowDoubts(issuers_in(folder)),
        )
        compiled, data = made.compiled, made.encoded()
    files = {HOTLIST_PATH: data}
    manual = read_manual(folder).without_old(today)
    missing, manual = left_out(manual, rules), lawful(manual, rules)
    require_within(compiled, manual, today, rules)
    if manual.acts:
        files[MANUAL_PATH] = manual.encoded()
    header = compiled.header
    return _List(files, header.entries, parse_rfc3339(header.as_of), missing)
