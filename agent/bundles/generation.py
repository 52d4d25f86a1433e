"""What one process has verified, as a whole: a folder with the city's files, and what the metadata
said about versions and expiry.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.bundles.layout import HOTLIST, SOFTWARE, CityIdentity, recipient_of
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.disk.atomic_file import read_bounded
from agent.disk.input_file import digest_of_file
from agent.errors import BundleRefusedError, ConfigError, EnvelopeRefusedError, StorageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

FACTS, CITY, METADATA = "generation.json", "city", "metadata"
MAX_FACTS_BYTES = 256 * 1024
MAX_ROLES, MAX_FILES, MAX_SIGNERS = 100, 1_000, 100
_REMOVE = "remove the bundles' folder of this process; it takes the bundles in again"


class Stops(StrEnum):
    """What a lapsed role stops (docs/ref/bundles.md)."""

    EVERYTHING = "everything"
    HOTLIST = "hot list"
    RECIPIENT = "recipient"
    SOFTWARE = "new software"


@dataclass(frozen=True, slots=True)
class Lapse:
    """A role that has expired, or was never published (`since` is None then)."""

    role: str
    since: datetime | None
    stops: Stops


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verified metadata said.

    `expiry`, `versions`: by role; `signed_by`: the holders whose signatures counted, by role;
    `absent`: roles whose files were not taken, being expired or never published.
    """

    city: CityIdentity
    issued: datetime
    expiry: Mapping[str, datetime]
    versions: Mapping[str, int]
    signed_by: Mapping[str, tuple[str, ...]]
    absent: frozenset[str]
    anchor: str
    """Hex SHA-256 of the root that enrolment gave: under another one nothing of this counts."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One verified state.

    `folder`/city has the layout of a city's folder; `files`: hex SHA-256 by path in it.
    """

    number: int
    folder: Path
    facts: Facts
    files: Mapping[str, str]

    @property
    def city(self) -> Path:
        """The city's files, to be read as bundles.city_folder.CityFolder."""
        return self.folder / CITY

    @property
    def city_id(self) -> str:
        return self.facts.city.id

    @property
    def issued(self) -> datetime:
        """When the newest timestamp was signed: no clock may be behind it."""
        return self.facts.issued

    @property
    def expiry(self) -> Mapping[str, datetime]:
        return self.facts.expiry

    @property
    def versions(self) -> Mapping[str, int]:
        return self.facts.versions

    def lapsed(self, now: datetime) -> tuple[Lapse, ...]:
        """Every role that is no longer in force, the earliest first."""
        ended = {role: expires for role, expires in self.expiry.items() if now >= expires}
        lapses = [
            Lapse(role, expires, stops(role))
            for role, expires in sorted(ended.items(), key=lambda item: item[1])
        ]
        never = [
            Lapse(role, None, stops(role)) for role in sorted(self.facts.absent - ended.keys())
        ]
        return (*lapses, *never)

    def files_but(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """Path and SHA-256 of every file in city/ but those below a prefix: changes when they
        do.
        """
        return tuple(
            (path, digest)
            for path, digest in sorted(self.files.items())
            if not path.startswith(prefix)
        )


def stops(role: str) -> Stops:
    """What ends with a role."""
    if recipient_of(role) is not None:
        return Stops.RECIPIENT
    if role == SOFTWARE:
        return Stops.SOFTWARE
    return Stops.HOTLIST if role == HOTLIST else Stops.EVERYTHING


def format_facts(facts: Facts, files: Mapping[str, str]) -> bytes:
    """generation.json. `files`: hex SHA-256 by path below city/."""
    roles = [
        {
            "role": role,
            "version": facts.versions[role],
            "expires": rfc3339(facts.expiry[role]) if role in facts.expiry else None,
            "signed_by": list(facts.signed_by.get(role, ())),
        }
        for role in sorted(facts.versions)
    ]
    city = {"id": facts.city.id, "name": facts.city.name, "rig": facts.city.rig}
    table = {
        "v": 1,
        "city": city,
        "issued": rfc3339(facts.issued),
        "roles": roles,
        "absent": sorted(facts.absent),
        "anchor": facts.anchor,
    }
    return canonical(
        {
            **table,
            "files": [{"path": path, "sha256": digest} for path, digest in sorted(files.items())],
        }
    )


def open_generation(folder: Path) -> Generation:
    """A generation from its folder, every file as it was verified: a card that lost bits must not
    change a policy.

    Raises BundleRefusedError, StorageError.
    """
    try:
        facts, files = _parse_facts(read_bounded(folder / FACTS, MAX_FACTS_BYTES))
        found = digests(folder / CITY)
    except (EnvelopeRefusedError, ConfigError) as error:
        raise _damaged(folder, error.what) from None
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise _damaged(folder, "its facts are missing") from None
        raise
    if found != files:
        changed = sorted(path for path in {*found, *files} if found.get(path) != files.get(path))
        raise _damaged(folder, f"{changed[0]} is not what was verified")
    return Generation(int(folder.name), folder, facts, files)


def digests(folder: Path) -> dict[str, str]:
    """Hex SHA-256 of every file below a folder, by its path in it. Raises ConfigError."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def _digest(path: Path) -> str:
    return digest_of_file(path, 1 << 40, missing=_REMOVE)[0]


def _parse_facts(text: bytes) -> tuple[Facts, dict[str, str]]:
    fields = Fields(
        parse_object(text, FACTS),
        FACTS,
        required=("v", "city", "issued", "roles", "absent", "anchor", "files"),
    )
    fields.exactly("v", 1)
    city = Fields(fields.value("city"), FACTS, required=("id", "name", "rig"))
    versions: dict[str, int] = {}
    expiry: dict[str, datetime] = {}
    signed_by: dict[str, tuple[str, ...]] = {}
    for entry in fields.sequence("roles", MAX_ROLES):
        role = Fields(entry, FACTS, required=("role", "version", "expires", "signed_by"))
        versions[role.text("role")] = role.whole("version", 0, 1 << 53)
        signed_by[role.text("role")] = tuple(
            str(name) for name in role.sequence("signed_by", MAX_SIGNERS)
        )
        if role.value("expires") is not None:
            expiry[role.text("role")] = role.moment("expires")
    absent = frozenset(str(role) for role in fields.sequence("absent", MAX_ROLES))
    identity = CityIdentity(city.identifier("id"), city.text("name"), bool(city.value("rig")))
    files = {}
    for entry in fields.sequence("files", MAX_FILES):
        file = Fields(entry, FACTS, required=("path", "sha256"))
        files[file.text("path")] = file.text("sha256", least=64, most=64)
    return Facts(
        identity,
        fields.moment("issued"),
        expiry,
        versions,
        signed_by,
        absent,
        fields.text("anchor", least=64, most=64),
    ), files


def _damaged(folder: Path, what: str) -> BundleRefusedError:
    return BundleRefusedError(Reason.BUNDLE_TARGET_ALTERED, what, where=folder, fix=_REMOVE)
