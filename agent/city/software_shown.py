"""What a release of software says to the person who signs it, once the release key's signature in
it was found good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.city import drafts
from agent.core.policy.charter import parse_charter
from agent.core.reasons import Reason
from agent.core.software.signed_release import ALL, parse_release
from agent.errors import BundleRefusedError
from agent.verifying.software_check import verify_statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.policy.schema.software_rules import SoftwareRules
    from agent.core.software.signed_release import Release, Statement


def rules_in(charter: bytes | None) -> SoftwareRules:
    """What the charter says of software. Raises ConfigError, BundleRefusedError(not in charter)."""
    rules = parse_charter(charter, drafts.CHARTER).software if charter is not None else None
    if rules is None:
        raise BundleRefusedError(
            Reason.SOFTWARE_NOT_IN_CHARTER,
            "has no [software]: no release key, and no version below which no camera goes",
            where=drafts.CHARTER,
            fix="the charter's signers add it, with release_keys and floor (docs/ref/policy.md)",
        )
    return rules


def require_taken(statement: Statement, rules: SoftwareRules) -> None:
    """Refuse what every camera would refuse. Raises BundleRefusedError."""
    if statement.version < rules.floor:
        raise BundleRefusedError(
            Reason.SOFTWARE_BELOW_FLOOR,
            f"version {statement.version} is below {rules.floor}, the charter's floor",
            where=drafts.SOFTWARE_JSON,
            fix="release a newer version",
        )


def software_shown(untrusted_release: bytes, charter: bytes | None) -> tuple[str, ...]:
    """Lines. Raises ConfigError, EnvelopeRefusedError, BundleRefusedError."""
    rules = rules_in(charter)
    release = parse_release(untrusted_release, drafts.SOFTWARE_JSON)
    statement = verify_statement(release.statement.encode(), rules.release_keys)
    require_taken(statement, rules)
    return tuple(_lines(release, statement))


def _lines(release: Release, statement: Statement) -> Iterator[str]:
    first = f"{len(release.cameras)} named cameras first, and " if release.cameras else ""
    whom = "all cameras" if release.share == ALL else f"{first}{release.share} % of all"
    yield f"version {statement.version}, for {whom}; the release key has signed its packages"
    if release.back:
        yield f"cameras that run a newer version GO BACK to {statement.version}"
    for one in statement.packages:
        yield f"{one.architecture}, Python {one.python}: SHA-256 {one.sha256}"
