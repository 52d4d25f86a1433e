"""Reads a city's hot list, from the folder beside the city's (`list_folder`).

For watch and `platewarden hotlist` alone: a process that imports this module can hold plates (P2).

`hotlist.bin` is what `hotlist import` made; a small list may lie there as `hotlist.csv` instead,
and is then read at each start. Every `city` here is the city's folder.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent import boundary
from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_hands import lawful, left_out, require_within
from agent.bundles.issuer_files import issuers_for
from agent.core.hotlist.compiled_format import MAX_FILE_BYTES, Compiled, decode
from agent.core.hotlist.index import MAX_AGE, HotList, hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.manual_acts import MAX_BYTES as MAX_MANUAL_BYTES
from agent.core.hotlist.intake.manual_acts import ManualList, parse_manual
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.policy.policy import NEVER_RELEASE, TEST
from agent.core.time.instant import to_millisecond
from agent.disk.input_file import digest_of_file, input_chunks, read_input
from agent.errors import ConfigError
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, timedelta
    from pathlib import Path

    from agent.core.policy.schema.hotlist_rules import HotlistRules

BINARY, PLAIN, MANUAL = "hotlist.bin", "hotlist.csv", "hotlist-manual.json"
STATE = "hotlist-published.json"
"""Which list, and for which cameras, the published ciphertext is, and the list's own key.

Not in public metadata: the digest of a short list could be found by trying.
"""
FILES = (BINARY, PLAIN, MANUAL, STATE)
BESIDE = "-hotlist"  # after the name of the city's folder
# Some hundred thousand rows. Longer lists would delay every start.
MAX_PLAIN_BYTES = 16 * 1024 * 1024
MAX_SOURCE_BYTES = 2 * 1024 * 1024 * 1024
_IMPORT = "run `platewarden hotlist import`"


def list_folder(city: Path) -> Path:
    """Where the list lies: `city-hotlist` beside `city`, which may be a link to another disk; or in
    the city's folder itself, where an older version left it.

    Mitigates against: whoever copies the city's folder for a signer carries the plates with it.

    Raises ConfigError where it lies in both, since half a list must not count as one.
    """
    own = beside(city)
    if not (left := files_in(city)):
        return own
    if moved := files_in(own):
        raise ConfigError(
            f"the hot list lies in both: {', '.join(left)} here, {', '.join(moved)} in {own}",
            where=city,
            fix="move what belongs together into the second folder, and remove the rest",
        )
    return city


def beside(city: Path) -> Path:
    """The list's own folder, of that city, however that is named."""
    folder = city.resolve()
    return folder.with_name(folder.name + BESIDE)


def files_in(folder: Path) -> list[str]:
    """Names of the list's files that lie in a folder."""
    return [name for name in FILES if (folder / name).exists()]


@boundary.document("hot list", error=ConfigError)
def read_hotlist(
    city: Path,
    today: date,
    categories: Iterable[str] | None = None,
    max_age: timedelta = MAX_AGE,
    rules: HotlistRules | None = None,
) -> HotList:
    """A city's list in force, on the day `today` (UTC).

    `categories`: what the policy's rules name; others never enter; None: all enter. `rules`: the
    charter's, for who obeys the list; None: what waits for a second hand is there too.

    Raises ConfigError naming file, line and field, never a plate, and BundleRefusedError for a list
    above the charter's limits.
    """
    wanted = None if categories is None else frozenset(categories)
    compiled, doubted = _imported(city, today, wanted)
    manual, missing = read_manual(city), 0
    if rules is not None:
        manual = manual.without_old(today)
        missing, manual = left_out(manual, rules), lawful(manual, rules)
        require_within(compiled, manual, today, rules)
    digest = hashlib.sha256(manual.encoded()).hexdigest() if manual.acts else ""
    added = manual.compiled(today) if manual.acts else None
    listed = hotlist_of(
        compiled,
        wanted,
        max_age=max_age,
        manual=added,
        withdrawn=manual.withdrawn,
        manual_digest=digest,
        left_out=missing,
    )
    return replace(listed, doubted_lines=doubted) if doubted else listed


def read_compiled(city: Path, today: date, categories: frozenset[str] | None = None) -> Compiled:
    """The imported list, or the plain one read now.

    Raises ConfigError, also where the two contradict one another.
    """
    return _imported(city, today, categories)[0]


def _imported(
    city: Path, today: date, categories: frozenset[str] | None
) -> tuple[Compiled, tuple[int, ...]]:
    """The same, and the lines of a plain list that were left out."""
    folder = list_folder(city)
    binary, plain = folder / BINARY, folder / PLAIN
    if not binary.exists():
        return _read_plain(city, plain, today, categories)
    compiled = decode(_whole(binary), str(binary))
    if plain.exists() and file_digest(plain) != compiled.header.source_sha256:
        raise ConfigError(
            f"is not the list that {BINARY} was made from",
            where=plain,
            fix=f"{_IMPORT} again, or remove one of the two",
        )
    missing = (categories or frozenset()) - {NEVER_RELEASE, TEST, *(compiled.header.allowed or ())}
    if compiled.header.allowed is not None and missing:
        told = ", ".join(sorted(missing))
        raise ConfigError(
            f"made when the charter did not allow what the policy now names: {told}",
            where=binary,
            fix=f"{_IMPORT} again",
        )
    return compiled, ()


@boundary.document("acts by hand", error=ConfigError)
def read_manual(city: Path) -> ManualList:
    """What was added and withdrawn by hand; nothing, where there is no such file."""
    path = list_folder(city) / MANUAL
    if not path.exists():
        return ManualList()
    return parse_manual(
        read_input(path, MAX_MANUAL_BYTES, missing="nothing was added by hand"), str(path)
    )


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, without reading it into memory at once."""
    return digest_of_file(path, MAX_SOURCE_BYTES, missing="it was there a moment ago")[0]


@boundary.document("hot list that is held", error=ConfigError)
def read_held(city: Path) -> Compiled | None:
    """The list that is about to be replaced; None where there is none. Raises ConfigError."""
    binary = list_folder(city) / BINARY
    return decode(_whole(binary), str(binary)) if binary.exists() else None


def modified(path: Path) -> datetime:
    """When a file was last written, to the millisecond. Raises ConfigError."""
    try:
        moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        raise ConfigError(
            "no such file",
            where=path,
            fix="a list of the header alone is a valid list: it matches nothing",
        ) from None
    return to_millisecond(moment)


def _read_plain(
    city: Path, plain: Path, today: date, categories: frozenset[str] | None
) -> tuple[Compiled, tuple[int, ...]]:
    """Rows that `hotlist import` would doubt are left out: nobody can be asked at a camera.

    The doubts of a whole list are not raised, since there is no list before it to compare with.
    """
    missing = "a list of the header alone is a valid list: it matches nothing"
    written = (city / "policy.toml").exists()
    doubts = RowDoubts(issuers_for(CityFolder(city).policy().jurisdiction if written else ""))
    with closing(input_chunks(plain, MAX_PLAIN_BYTES, missing=missing)) as chunks:
        source = Source(chunks, str(plain), modified(plain))
        done = import_list(source, categories, today, doubts=doubts, one_by_one=True)
    return done.compiled, done.skipped_lines


def _whole(path: Path) -> bytearray:
    """All bytes of a file, held once.

    Not mapped: whoever changed the file afterwards would change what was checked, or end the
    process.
    """
    data = bytearray()
    for chunk in input_chunks(path, MAX_FILE_BYTES, missing=_IMPORT):
        data += chunk
    return data
