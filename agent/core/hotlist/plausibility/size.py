"""Doubts a list that would empty the one held, or leave less than half of it: a wrong file, columns
one off, or a file cut short.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Sizes:
    """Entries of the list held (`before`; 0: none) and of the new one.

    `dropped`, `expired`: rows of the new one that did not become entries.
    """

    before: int
    entries: int
    dropped: int
    expired: int


def require_plausible(sizes: Sizes, where: str, *, allow_empty: bool, allow_shrink: bool) -> None:
    """Raises ConfigError for a list that shrank so, unless whoever takes it said that it may."""
    lost = sizes.before or sizes.dropped or sizes.expired
    if sizes.entries == 0 and lost and not allow_empty:
        raise ConfigError(
            f"nothing is left of this list; {sizes.before} entries are held "
            f"(its rows of categories that are not allowed: {sizes.dropped}; "
            f"expired: {sizes.expired})",
            where=where,
            fix="is it the right file, with the right columns? If it is, give --allow-empty",
        )
    if sizes.entries and sizes.before > 2 * sizes.entries and not allow_shrink:
        raise ConfigError(
            f"the list shrank from {sizes.before} to {sizes.entries} entries",
            where=where,
            fix="was the file cut short? If it is whole, give --allow-shrink",
        )
