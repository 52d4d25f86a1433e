"""A version of the software: three numbers, compared one by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.text.strict_json import Fields

_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class SoftwareVersion:
    """`1.4.0`: no suffix, so that two people who compare two versions agree."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(untrusted_text: str) -> SoftwareVersion:
    """The inverse of `str`. Raises ValueError."""
    found = _VERSION.fullmatch(untrusted_text)
    if found is None:
        raise ValueError("is no version | write three numbers as 1.4.0")
    return SoftwareVersion(int(found[1]), int(found[2]), int(found[3]))


def version_in(fields: Fields) -> SoftwareVersion:
    """The field `version` of a document. Raises EnvelopeRefusedError(malformed)."""
    try:
        return parse_version(fields.text("version", most=20))
    except ValueError:
        raise fields.bad("version", "three numbers, such as 1.4.0") from None


def package_version(untrusted_text: str) -> SoftwareVersion:
    """The version in a package's own, which may say more (1.4.0~bookworm1). Raises ValueError."""
    return parse_version(re.split(r"[-~+]", untrusted_text, maxsplit=1)[0])
