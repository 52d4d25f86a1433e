"""Makes the release key's statement from the packages themselves: what each says of itself, and its
digest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.repository.packages import digest_of
from agent.bundles.repository.signing_keys import load_private
from agent.core.software.signed_release import (
    MAX_PACKAGE_BYTES,
    STATEMENT_TYP,
    PackageFile,
    Statement,
    format_statement,
    parse_statement,
)
from agent.core.software.software_version import package_version
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM
from agent.disk.deb_file import control_of
from agent.errors import ConfigError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.core.software.software_version import SoftwareVersion

NAME = "platewarden"
_PYTHON = re.compile(r"python3 \(>= (3\.[0-9]+)~?\)")


@dataclass(frozen=True, slots=True)
class Vouched:
    """`text`: the compact JWS, with a line feed."""

    statement: Statement
    text: bytes

    def lines(self) -> Iterator[str]:
        """For people."""
        for one in self.statement.packages:
            kind = f"{one.architecture}, Python {one.python}"
            yield f"{self.statement.version} for {kind}: SHA-256 {one.sha256}, {one.size} bytes"

    def table(self) -> dict[str, object]:
        """As plain values."""
        packages = [
            {"architecture": one.architecture, "python": one.python, "sha256": one.sha256}
            for one in self.statement.packages
        ]
        return {"version": str(self.statement.version), "packages": packages}


def vouch_for(
    packages: Sequence[Path], key: str, state: int, secret: Callable[[str], str]
) -> Vouched:
    """Read, state and sign. Raises UsageError, ConfigError, StorageError, EnvelopeRefusedError."""
    found = [_described(file) for file in packages]
    versions = {version for version, _ in found}
    if len(versions) != 1:
        told = ", ".join(sorted(map(str, versions)))
        raise UsageError(
            f"are of several versions: {told}",
            where="packages",
            fix="one statement is of one version",
        )
    listed = sorted((one for _, one in found), key=lambda one: (one.architecture, one.python))
    statement = Statement(versions.pop(), state, tuple(listed))
    parse_statement(format_statement(statement))  # two of one kind are refused here
    private = load_private(key, secret)
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError("is no Ed25519 key", where=key, fix="make one: platewarden bundle key")
    header = b64url(canonical({"alg": SIGNATURE_ALGORITHM, "typ": STATEMENT_TYP}))
    signed = f"{header}.{b64url(format_statement(statement))}"
    return Vouched(statement, f"{signed}.{b64url(private.sign(signed.encode()))}\n".encode())


def _described(file: Path) -> tuple[SoftwareVersion, PackageFile]:
    """What a package says of itself. Raises ConfigError, StorageError."""
    control = control_of(file)
    python = _PYTHON.search(control.get("Depends", ""))
    try:
        version = package_version(control.get("Version", ""))
    except ValueError:
        version = None
    if control.get("Package") != NAME or version is None or python is None:
        raise ConfigError(
            f"is no package {NAME} that says its version and its Python",
            where=file,
            fix="name the cameras' packages: platewarden_VERSION_ARCHITECTURE.deb",
        )
    digest, size = digest_of(file, MAX_PACKAGE_BYTES)
    return version, PackageFile(control.get("Architecture", ""), python[1], digest, size)
