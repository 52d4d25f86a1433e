"""What two parties sign of a version (docs/ref/software.md): our release key which packages it is
made of, and the city's signers which of our versions its cameras take, and which cameras first.

Neither is enough alone: the city's file holds our statement, with our signature, as a text.
"""

from __future__ import annotations

import hashlib
import re

from agent.core.reasons import Reason
from agent.core.software.software_version import SoftwareVersion, version_in
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass

STATEMENT_TYP = "platewarden-package"
"""Keeps what the release key signs apart from every other document."""
STATEMENT, RELEASE = "statement of the release key", "software/release.json"
MAX_STATEMENT_BYTES, MAX_RELEASE_BYTES = 16 * 1024, 64 * 1024
MAX_PACKAGES, MAX_CAMERAS = 16, 1_000
MAX_PACKAGE_BYTES = 256 * 1024 * 1024
ALL = 100
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_PYTHON = re.compile(r"3\.[1-9][0-9]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One package of a version. `architecture`: as dpkg says it (arm64); `python`: 3.11; `sha256`:
    hex, of the whole file; `size`: bytes.
    """

    architecture: str
    python: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What the release key says. `state`: the number of the formats in which this version keeps
    what must survive it (logs, outbox, bundles): a version with a smaller one cannot read them.
    """

    version: SoftwareVersion
    state: int
    packages: tuple[PackageFile, ...]

    def package_for(self, architecture: str, python: str) -> PackageFile | None:
        """The one for this kind of machine."""
        for package in self.packages:
            if (package.architecture, package.python) == (architecture, python):
                return package
        return None


@dataclass(frozen=True, slots=True)
class Release:
    """What a city's signers say. `statement`: ours, still as the JWS; `share`: of all cameras, in
    whole per cent; `cameras`: those that take it whatever the share; `back`: whether cameras go
    back to it from a newer version.
    """

    statement: str
    share: int = ALL
    cameras: frozenset[str] = frozenset()
    back: bool = False

    def is_for(self, camera: str, version: SoftwareVersion) -> bool:
        """Whether a camera's turn has come. The same cameras stay in as the share grows, and
        another version begins with others.
        """
        return camera in self.cameras or turn(camera, version) < self.share


def turn(camera: str, version: SoftwareVersion) -> int:
    """From 0 to 99: a camera's place in the order of one version."""
    digest = hashlib.sha256(f"{version}/{camera}".encode()).digest()
    return int.from_bytes(digest[:8]) % ALL


def format_statement(statement: Statement) -> bytes:
    """What the release key signs."""
    packages = [
        {
            "architecture": one.architecture,
            "python": one.python,
            "sha256": one.sha256,
            "bytes": one.size,
        }
        for one in statement.packages
    ]
    table = {"v": 1, "version": str(statement.version), "state": statement.state}
    return canonical({**table, "packages": packages})


def parse_statement(payload: bytes) -> Statement:
    """The inverse of `format_statement`, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(payload, STATEMENT),
        STATEMENT,
        required=("v", "version", "state", "packages"),
    )
    fields.exactly("v", 1)
    packages = tuple(map(_package, fields.sequence("packages", MAX_PACKAGES)))
    kinds = {(one.architecture, one.python) for one in packages}
    if not packages or len(kinds) != len(packages):
        raise fields.bad("packages", "one package for each kind of machine, and one at least")
    return Statement(version_in(fields), fields.whole("state", 1, 1_000), packages)


def format_release(release: Release) -> bytes:
    """release.json."""
    table = {"v": 1, "statement": release.statement, "share": release.share}
    return canonical({**table, "cameras": sorted(release.cameras), "back": release.back}) + b"\n"


def parse_release(untrusted_json: bytes, where: str = RELEASE) -> Release:
    """The inverse of `format_release`, strict; the statement in it is still unverified.

    Raises EnvelopeRefusedError(malformed).
    """
    if len(untrusted_json) > MAX_RELEASE_BYTES:
        what = f"is longer than {MAX_RELEASE_BYTES} bytes"
        raise EnvelopeRefusedError(Reason.MALFORMED, what, where=where)
    fields = Fields(
        parse_object(untrusted_json, where),
        where,
        required=("v", "statement", "share", "cameras", "back"),
    )
    fields.exactly("v", 1)
    cameras = fields.sequence("cameras", MAX_CAMERAS)
    named = [Fields({"id": one}, f"{where}: cameras", required=("id",)) for one in cameras]
    ids = frozenset(one.identifier("id") for one in named)
    if len(ids) != len(cameras):
        raise fields.bad("cameras", "camera ids, each once")
    back = fields.value("back")
    if not isinstance(back, bool):
        raise fields.bad("back", "true or false")
    return Release(
        fields.text("statement", most=MAX_STATEMENT_BYTES), fields.whole("share", 0, ALL), ids, back
    )


def _package(untrusted_entry: object) -> PackageFile:
    where = f"{STATEMENT}: packages"
    fields = Fields(untrusted_entry, where, required=("architecture", "python", "sha256", "bytes"))
    return PackageFile(
        fields.pattern("architecture", _ARCHITECTURE, "an architecture, such as arm64"),
        fields.pattern("python", _PYTHON, "a version of Python, such as 3.11"),
        fields.pattern("sha256", _SHA256, "64 hexadecimal digits"),
        fields.whole("bytes", 1, MAX_PACKAGE_BYTES),
    )
