"""What a role would sign: the drafts in the city's folder, checked as far as one role can be, by
their paths in the repository.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography import x509

from agent.bundles.layout import (
    CA_PATHS,
    CAMERAS_PATH,
    CHARTER_PATH,
    CITY_PATH,
    CITY_ROOT_PATH,
    POLICY,
    POLICY_PATH,
    ROSTER_PATH,
    SOFTWARE,
    SOFTWARE_PATH,
    TARGETS,
    CityIdentity,
    city_file,
    most_bytes,
    parse_city,
)
from agent.core.policy.camera_roster import parse_roster
from agent.core.policy.charter import parse_charter, require
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.software.signed_release import parse_release
from agent.core.text.pem import certificates
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.roster_check import Roster, parse_root, verify_roster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.bundles.repository.published import CityRepository, Pending, Published
    from agent.core.policy.policy import Policy

CHARTER = "charter.toml"
POLICY_TOML = "policy.toml"
CAMERAS = "roster.toml"
ROSTER = "roster.jws"
CITY_ROOT = "root.json"
SOFTWARE_JSON = "software.json"
DRAFT_OF = {TARGETS: CHARTER, POLICY: POLICY_TOML, SOFTWARE: SOFTWARE_JSON}
"""The draft without which a role has nothing to be signed here."""
_HINTS = {
    CHARTER: "the council's charter: `platewarden policy new` drafts one",
    POLICY_TOML: "`platewarden policy new` drafts one",
    CAMERAS: "`platewarden policy new` drafts one",
    ROSTER: "`bundle init` makes it",
    CITY_ROOT: "`bundle init` makes it",
    SOFTWARE_JSON: "`platewarden software release` drafts it",
}


@dataclass(frozen=True, slots=True)
class Texts:
    """What people compare: None where there is none yet."""

    charter: bytes | None = None
    policy: bytes | None = None
    cameras: bytes | None = None
    roster: bytes | None = None
    city_root: bytes | None = None

    def over(self, files: Mapping[str, bytes]) -> Texts:
        """The same with the files of a role laid over it."""
        return Texts(
            files.get(CHARTER_PATH, self.charter),
            files.get(POLICY_PATH, self.policy),
            files.get(CAMERAS_PATH, self.cameras),
            files.get(ROSTER_PATH, self.roster),
            files.get(CITY_ROOT_PATH, self.city_root),
        )

    def require_lawful(self) -> None:
        """Refuse a policy that its charter forbids. Raises ConfigError, PolicyRefusedError."""
        if self.policy is not None and self.charter is not None:
            require(parse_policy(self.policy, POLICY_TOML), parse_charter(self.charter, CHARTER))

    def enrolled(self) -> Roster | None:
        """The roster of enrolled cameras. Raises EnvelopeRefusedError."""
        if self.roster is None or self.city_root is None:
            return None
        return verify_roster(self.roster, parse_root(self.city_root))


def files_of(city: CityRepository, published: Published | None, role: str) -> dict[str, bytes]:
    """All published files of a role; empty where it was never published."""
    metadata = published.role(role) if published else None
    return (
        {path: city.target(metadata, path) for path in metadata.signed.targets} if metadata else {}
    )


def files_pending(
    city: CityRepository, published: Published | None, pending: Pending
) -> dict[str, bytes]:
    """All files of a pending version: those beside it, and those that it leaves as published."""
    before = published.role(pending.role) if published else None
    found = dict(pending.files)
    for path, described in pending.metadata.signed.targets.items():
        if path not in found:
            if before is None or before.signed.targets.get(path) != described:
                fix = f"sign again: bundle sign --role {pending.role} --start-again"
                raise ConfigError("is not there", where=f"pending {pending.role}: {path}", fix=fix)
            found[path] = city.target(before, path)
    return found


def published_texts(city: CityRepository, published: Published | None) -> Texts:
    """What cameras obey now."""
    return Texts().over(files_of(city, published, TARGETS)).over(files_of(city, published, POLICY))


def identity_of(
    city: CityRepository, published: Published | None, pending: Mapping[str, Pending]
) -> CityIdentity:
    """Which city this is. Raises ConfigError, BundleRefusedError."""
    files = (
        files_pending(city, published, pending[TARGETS])
        if TARGETS in pending
        else files_of(city, published, TARGETS)
    )
    if CITY_PATH not in files:
        raise ConfigError(
            "holds no repository",
            where=city.folder,
            fix="make one with `platewarden bundle init`, or correct --city",
        )
    return parse_city(files[CITY_PATH])


def charter_text(folder: Path) -> bytes:
    """The draft of the charter. Raises ConfigError."""
    return _read(folder, CHARTER, CHARTER_PATH)


def draft_texts(folder: Path) -> Texts:
    """The drafts that a roster is made from. Raises ConfigError."""
    return Texts(
        cameras=_read(folder, CAMERAS, CAMERAS_PATH),
        roster=_read(folder, ROSTER, ROSTER_PATH),
        city_root=_read(folder, CITY_ROOT, CITY_ROOT_PATH),
    )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The new drafts, and the enrolment files that were just read, by camera."""

    cameras: bytes
    roster: bytes
    city_root: bytes
    files: Mapping[str, bytes]


def drafts_of(
    folder: Path, role: str, keep: Mapping[str, bytes], enrolled: Enrolled | None = None
) -> dict[str, bytes]:
    """A role's files from the drafts.

    `keep`: what has no draft (city.json); `enrolled`: newer rosters than the drafts. Raises
    ConfigError, UsageError.
    """
    if role == TARGETS:
        charter = _read(folder, CHARTER, CHARTER_PATH)
        parse_charter(charter, str(folder / CHARTER))
        return {CITY_PATH: keep[CITY_PATH], CHARTER_PATH: charter}
    if role == SOFTWARE:
        return {SOFTWARE_PATH: _release(folder)}
    if role != POLICY:
        raise UsageError(
            "has no drafts",
            where=f"role {role}",
            fix="a recipient's keys: --key-list FILE; the hot list: `platewarden hotlist publish`",
        )
    text = _read(folder, POLICY_TOML, POLICY_PATH)
    policy = parse_policy(text, str(folder / POLICY_TOML))
    files = {POLICY_PATH: text}
    files[CAMERAS_PATH] = enrolled.cameras if enrolled else _read(folder, CAMERAS, CAMERAS_PATH)
    files[ROSTER_PATH] = enrolled.roster if enrolled else _read(folder, ROSTER, ROSTER_PATH)
    parse_roster(files[CAMERAS_PATH], str(folder / CAMERAS))
    own = enrolled.city_root if enrolled else _read(folder, CITY_ROOT, CITY_ROOT_PATH)
    files[CITY_ROOT_PATH] = own
    try:
        verify_roster(files[ROSTER_PATH], parse_root(files[CITY_ROOT_PATH]))
    except EnvelopeRefusedError as error:
        raise ConfigError(
            error.what,
            where=folder / ROSTER,
            fix="the missing holders sign it: `bundle roster`; or enrol the cameras again, with "
            "the key of root.json: bundle sign --enrol",
        ) from None
    return files | authorities(folder, policy)


def _release(folder: Path) -> bytes:
    """The draft of a release of software. Raises ConfigError."""
    text = _read(folder, SOFTWARE_JSON, SOFTWARE_PATH)
    try:
        parse_release(text, str(folder / SOFTWARE_JSON))
    except EnvelopeRefusedError as error:
        raise ConfigError(error.what, where=error.where, fix=_HINTS[SOFTWARE_JSON]) from None
    return text


def authorities(folder: Path, policy: Policy) -> dict[str, bytes]:
    """The CA files that the policy's brokers and bundle sources name. Raises ConfigError."""
    files = {}
    for called, server in policy.servers.items():
        name = f"ca/{server.ca}"
        pem = read_input(
            folder / name,
            most_bytes(CA_PATHS),
            missing=f"{called} needs it; its operator has it",
        )
        try:
            for certificate in certificates(pem):
                x509.load_der_x509_certificate(certificate)
        except ValueError:
            raise ConfigError(
                "holds no certificate in PEM", where=folder / name, fix="ask the broker's operator"
            ) from None
        files[f"policy/{name}"] = pem
    return files


def draft_file(path: str) -> str:
    """Where the draft of a target lies in the city's folder."""
    return SOFTWARE_JSON if path == SOFTWARE_PATH else city_file(path)


def require_higher(old: Texts, new: Texts) -> None:
    """Refuse another policy under the same number: people would speak of version 7 and mean two
    things.

    Raises UsageError.
    """
    if old.policy is None or new.policy is None or old.policy == new.policy:
        return
    before = parse_policy(old.policy, "the published policy")
    after = parse_policy(new.policy, POLICY_TOML)
    if after.version <= before.version:
        told = (
            f"has version {after.version}, "
            f"and another policy of version {before.version} is published"
        )
        raise UsageError(told, where=POLICY_TOML, fix=f"write version = {before.version + 1}")


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[str, ...]:
    """Which files are new, changed or gone, for people."""
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            what = "new" if path not in old else "gone" if path not in new else "changed"
            digest = (
                f", SHA-256 {hashlib.sha256(new[path]).hexdigest()[:16]}…" if path in new else ""
            )
            lines.append(f"{path}: {what}{digest}")
    return tuple(lines)


def _read(folder: Path, name: str, path: str) -> bytes:
    return read_input(folder / name, most_bytes(path), missing=_HINTS[name])
