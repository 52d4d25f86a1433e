"""A version of the software: three numbers, compared one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
