"""Who issues plates, and what is written where there is none: data for one jurisdiction, from files
(docs/ref/hotlist.md).

Words differ by language, and codes by country: `CA` is California to a clerk there, and Canada
in ISO 3166.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.core.text.toml_document import read_document
from agent.values import dataclass, field, fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_word = re.compile(r"[A-Z0-9]{1,40}").fullmatch
_FORMAT = "docs/ref/hotlist.md"


@dataclass(frozen=True, slots=True)
class IssuersTable:
    """One file. `countries`: all that there are (one file says them); `states`: of this country;
    `lists_hold`: the countries whose plates this country's lists hold; `words`, `repeated`: what
    stands for "no plate", whole words, and single characters however often.
    """

    countries: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    lists_hold: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issuers:
    """For one jurisdiction. `home`: its country, empty where it is not known; `countries`: empty
    where nothing is known; `states`: by country, for those whose states are listed.
    """

    home: str = ""
    countries: frozenset[str] = frozenset()
    states: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists_hold: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()


def parse_issuers(untrusted_text: bytes, where: str) -> IssuersTable:
    """One file. Raises ConfigError."""
    document = read_document(untrusted_text, where, _FORMAT)
    known = {one.name for one in fields(IssuersTable)}
    for name, values in document.table.items():
        if name not in known:
            document.fault((name,), "unknown key", f"see {_FORMAT}", of_key=True)
        elif not isinstance(values, list) or not all(
            isinstance(one, str) and _word(one) for one in values
        ):
            document.fault((name,), "must be words of A-Z and 0-9", f"see {_FORMAT}")
    document.require_faultless()
    return IssuersTable(**{name: tuple(values) for name, values in document.table.items()})


def issuers_of(files: Mapping[str, IssuersTable], jurisdiction: str) -> Issuers:
    """What holds for a jurisdiction (ISO 3166; empty where it is not known), from files by the
    name of their country or state in small letters; `world` holds for all.
    """
    home = jurisdiction[:2]
    near = [files[name] for name in ("world", home.lower(), jurisdiction.lower()) if name in files]
    own = files.get(home.lower(), IssuersTable())
    return Issuers(
        home,
        frozenset(code for table in files.values() for code in table.countries),
        {name.upper(): frozenset(table.states) for name, table in files.items() if table.states},
        frozenset(own.lists_hold),
        _all(table.words for table in near),
        _all(table.repeated for table in near),
    )


def _all(lists: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset(one for several in lists for one in several)
