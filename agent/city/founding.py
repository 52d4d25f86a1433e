"""A new city's first root and targets, proposed to those who are to sign them; and its root key,
which signs the roster of cameras.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.bundles.layout import (
    CITY_PATH,
    HOTLIST,
    POLICY,
    ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    CityIdentity,
    format_city,
    keys_role,
    rule_of,
)
from agent.bundles.repository.next_version import first_root, first_targets, require_own_names
from agent.bundles.repository.pending_files import drop_pending, keep_pending
from agent.bundles.repository.published import PENDING_FOLDER, REPOSITORY_FOLDER, Pending
from agent.bundles.repository.signing_keys import KeyHolder, make_key, read_public
from agent.city import drafts
from agent.city.roster_change import first_roster, load_root_key
from agent.city.roster_signature import unsigned_roster
from agent.core.reasons import Reason
from agent.core.text.identifier import IDENTIFIER
from agent.core.text.plain_words import quoted_names
from agent.disk.atomic_file import write_atomic
from agent.errors import BundleRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.roster_check import RosterRoot, format_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

_OPTIONS = {
    ROOT: "--charter-signer",
    POLICY: "--policy-signer",
    TIMESTAMP: "--online",
    HOTLIST: "--hotlist-owner",
}


@dataclass(frozen=True, slots=True)
class Founding:
    """Who is to sign what, checked."""

    identity: CityIdentity
    holders: Mapping[str, Sequence[KeyHolder]]
    thresholds: Mapping[str, int]

    @classmethod
    def read(
        cls,
        identity: CityIdentity,
        charter: Sequence[Path],
        policy: Sequence[Path],
        online: Sequence[Path],
        hotlist: Sequence[Path],
        recipients: Sequence[str],
        threshold: int,
    ) -> Founding:
        """From public files. Raises UsageError, ConfigError, BundleRefusedError."""
        files: dict[str, Sequence[Path]] = {
            ROOT: charter,
            TARGETS: charter,
            SNAPSHOT: online,
            TIMESTAMP: online,
            POLICY: policy,
            HOTLIST: hotlist,
        }
        for given in recipients:
            recipient, equals, file = given.partition("=")
            if not equals or not IDENTIFIER.fullmatch(recipient) or keys_role(recipient) in files:
                raise UsageError(
                    "not one recipient's id and public file",
                    where=f"--recipient {given}",
                    fix="write ID=FILE.pub, each recipient once",
                )
            files[keys_role(recipient)] = [Path(file)]
        return cls.of(
            identity,
            {role: [read_public(path) for path in paths] for role, paths in files.items()},
            threshold,
        )

    @classmethod
    def of(
        cls, identity: CityIdentity, holders: Mapping[str, Sequence[KeyHolder]], threshold: int
    ) -> Founding:
        """The same from keys. Raises UsageError, BundleRefusedError."""
        for role, option in _OPTIONS.items():
            if not holders[role]:
                raise UsageError(
                    f"nobody signs role {role}",
                    where=option,
                    fix="name a public file; its holder makes it with `platewarden bundle key`",
                )
        for role, keys in holders.items():
            if len({key.id for key in keys}) != len(keys):
                raise UsageError(
                    f"the same key is there twice for role {role}",
                    where=_OPTIONS.get(role, role),
                    fix="each holder makes a key of their own",
                )
            require_own_names(role, (key.name for key in keys))
        thresholds = {
            role: threshold if (rule := rule_of(role)) and rule.least_signers > 1 else 1
            for role in holders
        }
        for role in (ROOT, TARGETS, POLICY):
            least = ROLES[role].least_signers
            if threshold < least and not identity.rig:
                what = f"role {role} needs {least} signatures at least: a camera accepts no fewer"
                raise BundleRefusedError(
                    Reason.BUNDLE_THRESHOLD_TOO_LOW,
                    what,
                    where="--threshold",
                    fix="no single person may change what cameras do",
                )
        return cls(identity, holders, thresholds)

    def require_free(self, city: Path, roster_key: Path | None) -> None:
        """Nothing of an earlier city is overwritten. Raises UsageError, ConfigError."""
        for path in (
            city / REPOSITORY_FOLDER,
            city / PENDING_FOLDER,
            city / drafts.CITY_ROOT,
            city / drafts.ROSTER,
            roster_key,
        ):
            if path is not None and path.exists():
                raise UsageError(
                    "is there already, and is not overwritten",
                    where=path,
                    fix="name another folder, or move it away",
                )
        self.files(city)

    def files(self, city: Path) -> dict[str, bytes]:
        """What targets signs. Raises ConfigError."""
        return drafts.drafts_of(city, TARGETS, {CITY_PATH: format_city(self.identity)})


@dataclass(frozen=True, slots=True)
class RootKey:
    """The city's root key, made at `file`."""

    file: Path
    passphrase: str


@dataclass(frozen=True, slots=True)
class Founded:
    """What is proposed, and who must sign it. `root`: the city's root key that was made, or who
    holds the root.
    """

    identity: CityIdentity
    root: RootKey | RosterRoot
    signers: tuple[str, ...]
    threshold: int

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"{self.identity.name} ({self.identity.id}): "
            "root and targets are proposed, and signed by nobody yet."
        )
        if isinstance(self.root, RootKey):
            yield f"{self.root.file}: the city's root key. Keep it offline, with a copy in a safe."
        else:
            yield (
                f"Now {self.root.threshold} of the {len(self.root.keys)} who hold the city's root "
                "type: platewarden bundle roster. Until then nobody can sign the policy."
            )
        yield (
            f"Now {self.threshold} of {quoted_names(self.signers)} type: platewarden bundle sign; "
            "those of the policy the same; then: platewarden bundle publish."
        )

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "city": self.identity.id,
            "proposed": [ROOT, TARGETS],
            "signers": list(self.signers),
            "threshold": self.threshold,
        }


def found(city: Path, founding: Founding, held: RootKey | RosterRoot, now: datetime) -> Founded:
    """Write the root key where one is made, root.json, an empty roster.jws, and the pending root
    and targets; all or nothing. Where several hold the root, nobody has signed the roster yet.

    Raises StorageError, ConfigError.
    """
    files = founding.files(city)
    top = {role: founding.holders[role] for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)}
    delegated = {role: keys for role, keys in founding.holders.items() if role not in top}
    root = first_root(top, founding.thresholds, now)
    targets = first_targets(delegated, founding.thresholds, files, now)
    written: list[Path] = []
    try:
        if isinstance(held, RootKey):
            make_key(held.file, held.passphrase, founding.identity.name[:64])
            written.append(held.file)
        rosters = _root_and_roster(founding.identity.name, held, now)
        for name, data in zip((drafts.CITY_ROOT, drafts.ROSTER), rosters, strict=True):
            write_atomic(city / name, data, 0o644)
            written.append(city / name)
        keep_pending(city, Pending(ROOT, root, {}))
        keep_pending(city, Pending(TARGETS, targets, files))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        for role in (ROOT, TARGETS):
            drop_pending(city, role)
        raise
    return Founded(
        founding.identity,
        held,
        tuple(key.name for key in founding.holders[ROOT]),
        founding.thresholds[ROOT],
    )


def _root_and_roster(city: str, held: RootKey | RosterRoot, now: datetime) -> tuple[bytes, bytes]:
    if isinstance(held, RosterRoot):
        return format_root(held), unsigned_roster(city, now)
    private = load_root_key(str(held.file), None, lambda _what: held.passphrase)
    return first_roster(city, private, now)
