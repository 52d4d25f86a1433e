"""Verifies an inbox into a folder of its own: every signature, version, expiry and file of every
role, by python-tuf and by what metadata_rules.py adds.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata, Targets

from agent.bundles import metadata_rules
from agent.bundles.generation import CITY, METADATA, Facts
from agent.bundles.inbox import CONFIG, METADATA_URL, TARGETS_URL
from agent.bundles.layout import (
    CHANGES_PATH,
    CITY_PATH,
    HOTLIST_PATH,
    POLICY,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    CityIdentity,
    city_file,
    most_bytes,
    parse_city,
    wanted_by,
)
from agent.bundles.refusal_words import holder_of, refusal, rollback, verified
from agent.bundles.updater import Updater
from agent.core.reasons import Reason
from agent.disk.atomic_file import read_bounded, storage_error
from agent.errors import BundleRefusedError, ConfigError, PlatewardenError, StorageError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from agent.bundles.generation import Generation
    from agent.bundles.inbox import Inbox
    from agent.bundles.layout import RoleRule
    from agent.settings import Limits

_AGAIN = "the city must publish again"
# Beyond its own errors tuf raises ValueError for a key that is not there. The others may come from
# metadata odder than it thought of.
NEVER_BACK = (ROOT, TARGETS, POLICY)
"""Roles that never go back, not even when root gives the online keys to others, after which TUF
forgets what snapshot said before.
"""


class Verification:
    """One run over one inbox.

    `part`: the folder that becomes a generation; `reference`: the time by which expiry is judged;
    `leave_out`: roles whose files this process does not want (deliver holds no hot list, not even a
    sealed one): they are verified, and not fetched; `camera`: whose key to the hot list is fetched.
    """

    def __init__(
        self,
        part: Path,
        inbox: Inbox,
        anchor: bytes,
        reference: datetime,
        limits: Limits,
        leave_out: frozenset[str],
        camera: str = "",
    ) -> None:
        self._part = part
        self._inbox = inbox
        self._limits = limits
        self._leave_out, self._camera = leave_out, camera
        self._reference = reference
        self._anchor = anchor
        self._work = part / METADATA
        self._absent: set[str] = set()
        self._metadata: dict[str, Metadata[Any]] = {}

    def run(self, previous: Generation | None, *, rig: bool) -> Facts:
        """Everything, or BundleRefusedError and nothing to be kept.

        StorageError where this machine's disk fails.
        """
        try:
            updater = self._updater()
            updater.refresh()
            self._check_top_level()
            for rule in metadata_rules.check_delegations(
                self._metadata[TARGETS].signed, self._inbox.folder
            ):
                self._load(updater, rule)
            metadata_rules.check_fields(self._metadata, self._inbox.folder)
            issued = self._check_forward(previous)
            self._fetch(updater)
            city = self._identify(previous, rig=rig)
        except PlatewardenError:
            raise
        except OSError as error:
            raise storage_error(error, self._part, "cannot write what was verified") from None
        # Beyond its own errors, tuf raises ValueError for a key that is not there; metadata odder
        # than it thought of may make it raise anything.
        except Exception as error:  # noqa: BLE001 - one odd bundle must not end a process
            raise refusal(error, self._inbox, self._work, self._reference) from None
        versions = {role: metadata.signed.version for role, metadata in self._metadata.items()}
        expiry = {role: metadata.signed.expires for role, metadata in self._metadata.items()}
        never = dict.fromkeys(self._absent - versions.keys(), 0)
        signed_by = {role: self._signers(role) for role in self._metadata}
        return Facts(
            city,
            issued,
            expiry,
            {**versions, **never},
            signed_by,
            frozenset(self._absent),
            hashlib.sha256(self._anchor).hexdigest(),
        )

    def _updater(self) -> Updater:
        try:
            updater = Updater(
                str(self._work),
                METADATA_URL,
                None,
                TARGETS_URL,
                self._inbox,
                CONFIG,
                bootstrap=self._anchor,
            )
        except RepositoryError:
            raise ConfigError(
                "is not a city's root, or not signed by those whom it names",
                where="trust/root.json",
                fix="enrol this camera again",
            ) from None
        # The one private touch (docs/design/bundles.md): tuf would ask the operating system, whose
        # clock anybody can set back.
        updater._trusted_set.reference_time = self._reference  # noqa: SLF001
        return updater

    def _check_top_level(self) -> None:
        for role in TOP_LEVEL:
            metadata: Metadata[Any] = Metadata.from_bytes(
                (self._work / f"{role}.json").read_bytes()
            )
            metadata_rules.check_expiry(role, metadata.signed.expires, self._inbox.folder)
            self._metadata[role] = metadata
        metadata_rules.check_root(self._metadata[ROOT].signed, self._inbox.folder)
        metadata_rules.check_targets(TARGETS, self._metadata[TARGETS].signed, self._inbox.folder)

    def _load(self, updater: Updater, rule: RoleRule) -> None:
        """A delegated role's metadata.

        One that carries only its own affair may be missing or expired: then only that stops.
        """
        role, named = rule.name, self._metadata[SNAPSHOT].signed.meta
        if f"{role}.json" not in named:
            if rule.required:
                raise BundleRefusedError(
                    Reason.BUNDLE_INCOMPLETE,
                    f"{role} is not among the roles that snapshot names",
                    where=self._inbox.folder,
                    fix=_AGAIN,
                )
            self._absent.add(role)
            return
        try:
            updater.get_targetinfo(rule.paths[0])
            metadata = verified(self._work, role)
        except ExpiredMetadataError:
            if rule.required:
                raise
            # Expiry is judged last by tuf, after hash, signatures and version: what was read is
            # genuine, and too old to be used.
            metadata = Metadata.from_bytes(self._inbox.raw[role])
            self._absent.add(role)
        # tuf loads a role only where it is handed the path, and an older one may lie there.
        if metadata is None or metadata.signed.version != named[f"{role}.json"].version:
            raise BundleRefusedError(
                Reason.BUNDLE_SNAPSHOT_MISMATCH,
                f"{role} is not the one that snapshot names",
                where=self._inbox.folder,
                fix=_AGAIN,
            )
        metadata_rules.check_expiry(role, metadata.signed.expires, self._inbox.folder)
        self._metadata[role] = metadata
        metadata_rules.check_targets(role, metadata.signed, self._inbox.folder)

    def _signers(self, role: str) -> tuple[str, ...]:
        """Who signed a role, of those who may: for the log, which must be able to say who changed
        something.
        """
        delegator = self._metadata[ROOT if role in TOP_LEVEL else TARGETS].signed
        metadata = self._metadata[role]
        result = delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        return tuple(sorted(map(holder_of, result.signed.values())))

    def _check_forward(self, previous: Generation | None) -> datetime:
        """Nothing goes back, and nothing comes from the future. The time of issue."""
        where = self._inbox.folder
        issued = metadata_rules.issued_at(self._metadata[TIMESTAMP].signed, where)
        if issued > self._reference:
            what = (
                f"the newest bundle was signed at {issued:%Y-%m-%d %H:%M:%S} UTC, "
                f"and here it is {self._reference:%Y-%m-%d %H:%M:%S} UTC"
            )
            raise BundleRefusedError(
                Reason.CLOCK_BEHIND_BUNDLES, what, where=where, fix="set this machine's clock"
            )
        if previous is None:
            return issued
        for role in NEVER_BACK:
            version = self._metadata[role].signed.version if role in self._metadata else 0
            if version < previous.versions[role]:
                raise rollback(role, version, previous.versions[role], where)
        if issued < previous.issued:
            what = (
                f"{TIMESTAMP} was issued at {issued:%Y-%m-%d %H:%M} UTC, "
                "before the one that was verified last"
            )
            raise BundleRefusedError(
                Reason.BUNDLE_ROLLBACK,
                what,
                where=where,
                fix="tell the city: its online key may be in wrong hands",
            )
        return issued

    def _fetch(self, updater: Updater) -> None:
        """Every file of every role in force, into city/; of the hot list's keys this camera's."""
        wanted = [
            (path, file)
            for role, metadata in self._metadata.items()
            if isinstance(metadata.signed, Targets) and role not in self._absent | self._leave_out
            for path, file in metadata.signed.targets.items()
            if wanted_by(path, self._camera)
        ]
        total = sum(file.length for _, file in wanted)
        if total > self._limits.max_bundle_bytes:
            raise self._too_large(
                f"all files hold {total} bytes; at most {self._limits.max_bundle_bytes} are taken",
                "max_bundle_bytes",
            )
        for path, file in wanted:
            listed = path in {HOTLIST_PATH, CHANGES_PATH}
            if listed and file.length > self._limits.max_hotlist_bytes:
                raise self._too_large(
                    f"{path} holds {file.length} bytes; "
                    f"at most {self._limits.max_hotlist_bytes} are taken",
                    "max_hotlist_bytes",
                )
            found = updater.get_targetinfo(path)
            if found is None:
                raise BundleRefusedError(
                    Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
                    f"{path}: not signed by the role that it belongs to",
                    where=path,
                    fix=_AGAIN,
                )
            updater.download_target(found, str(self._part / CITY / city_file(path)))

    def _too_large(self, what: str, setting: str) -> BundleRefusedError:
        return BundleRefusedError(
            Reason.BUNDLE_TOO_LARGE,
            what,
            where=self._inbox.folder,
            fix=f"raise {setting} in [limits], if the city means it",
        )

    def _identify(self, previous: Generation | None, *, rig: bool) -> CityIdentity:
        """Whose repository this is: the same city's as ever, and a rig's only on a rig."""
        where = self._inbox.folder
        try:
            city = parse_city(read_bounded(self._part / CITY / CITY_PATH, most_bytes(CITY_PATH)))
        except StorageError:
            raise BundleRefusedError(
                Reason.BUNDLE_INCOMPLETE,
                f"{CITY_PATH} is not among the files that targets signs",
                where=where,
                fix=_AGAIN,
            ) from None
        if city.rig and not rig:
            raise BundleRefusedError(
                Reason.RIG_CITY,
                f"{city.id!r} is a city made for trying",
                where=where,
                fix="a real camera obeys a real city only",
            )
        if previous is not None and previous.city_id != city.id:
            raise BundleRefusedError(
                Reason.BUNDLE_OTHER_CITY,
                f"is of {city.id!r}, and this camera is {previous.city_id!r}'s",
                where=where,
                fix="enrol anew",
            )
        if not city.rig:
            metadata_rules.check_people(
                self._metadata[ROOT].signed, self._metadata[TARGETS].signed, where
            )
        return city
