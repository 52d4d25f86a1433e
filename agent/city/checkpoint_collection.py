"""Collects the checkpoints of a city's cameras: each that fits what was collected last becomes a
leaf of the city's log, and so does each that does not fit, or does not come.

So one cosignature under the city's log vouches for every camera's (docs/design/city-log.md).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from agent.audit.proofs.log_tiles import FITTING
from agent.audit.witnesses.grown_log import Last, Look, look
from agent.audit.witnesses.log_witness import offered
from agent.audit.witnesses.witness_folder import keep_evidence
from agent.city.checkpoint_messages import largest_that_fits, misfit, news_of, sort_messages
from agent.city.city_log import DATABASE, FOLDER, domain_of
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import from_posix_s, parse_rfc3339, rfc3339
from agent.errors import PlatewardenError, RefusedError, StorageError
from agent.storage.log_key import without_domain
from agent.values import dataclass, replace

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.city.checkpoint_messages import Message
    from agent.city.city_log import CityLog
    from agent.storage.log_key import TrustedLogKeys

AGAIN_S = 86_400  # the same trouble is a leaf once a day, however often one collects
_TABLE = (
    "CREATE TABLE IF NOT EXISTS collected (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, "
    "root BLOB NOT NULL, at_s INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS trouble (origin TEXT PRIMARY KEY, what TEXT NOT NULL, "
    "at_s INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS published (origin TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS told (origin TEXT, leaf INTEGER, PRIMARY KEY (origin, leaf)) STRICT"
)
FIRST, GROWN = FITTING
SAME, MISSING, REFUSED, UNUSABLE = "same", "missing", "refused", "unusable"
ASKED = "asked"  # it proves its growth since another size, and is told since when
_CAME = frozenset({FIRST, GROWN, REFUSED})


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of one log. `leaf`: its number in the city's log, None where it needed none.

    `why`: for people, where the outcome is MISSING, REFUSED or UNUSABLE. `camera`: the name in the
    certificate, of one that came over the broker.
    """

    origin: str
    outcome: str
    size: int | None = None
    root: bytes = b""
    before: Last | None = None
    leaf: int | None = None
    why: str = ""
    error: PlatewardenError | None = None
    camera: str = ""


class Collection:
    """What the city's log holds of its cameras: a witness's memory, for `look`."""

    verb = "the city's log holds"

    def __init__(self, city: Path, log: CityLog) -> None:
        self._folder, self._log = city / FOLDER, log.log
        self._log.add_tables(_TABLE)

    def last(self, origin: str) -> Last | None:
        """The newest that was collected. Raises StorageError."""
        rows = self._log.query("SELECT size, root, at_s FROM collected WHERE origin = ?", (origin,))
        for size, root, at_s in rows:
            if isinstance(size, int) and isinstance(root, bytes) and isinstance(at_s, int):
                return Last(self._folder / DATABASE, Checkpoint(origin, size, root), at_s)
        return None

    def origins(self) -> Iterator[str]:
        """Of all logs that were ever collected."""
        return (str(origin) for (origin,) in self._log.query("SELECT origin FROM collected"))

    def keep_evidence(self, origin: str, note: bytes) -> Path:
        """A second history of a camera's log, beside the city's own."""
        return keep_evidence(self._folder, origin, note)

    def leaf_within(self, origin: str, size: int) -> int | None:
        """The newest leaf about this log among the first `size` of the city's."""
        found = self._log.query(
            "SELECT max(leaf) FROM told WHERE origin = ? AND leaf < ?", (origin, size)
        )
        return found[0][0] if found and isinstance(found[0][0], int) else None

    def published(self, origin: str) -> datetime | None:
        """When the camera sent what was collected last, if it came over the broker."""
        for (at,) in self._log.query("SELECT at FROM published WHERE origin = ?", (origin,)):
            return parse_rfc3339(str(at))
        return None

    def keep(
        self,
        checkpoint: Checkpoint,
        details: Mapping[str, object],
        at_s: int,
        published: datetime | None = None,
    ) -> int:
        """The leaf's number. The leaf and the memory are on disk together, or neither is."""

        def remember(connection: sqlite3.Connection, number: int) -> None:
            origin, size, root = checkpoint.origin, checkpoint.size, checkpoint.root
            connection.execute("INSERT INTO told VALUES (?, ?)", (origin, number))
            connection.execute(
                "INSERT OR REPLACE INTO collected VALUES (?, ?, ?, ?)", (origin, size, root, at_s)
            )
            connection.execute("DELETE FROM trouble WHERE origin = ?", (origin,))
            if published is not None:
                sent = origin, rfc3339(published)
                connection.execute("INSERT OR REPLACE INTO published VALUES (?, ?)", sent)

        return self._log.append(LeafKind.CHECKPOINT, details, also=remember)

    def trouble(self, origin: str, details: Mapping[str, object], now_s: int) -> int | None:
        """The leaf's number; None where the same was told within a day."""
        what = f"{details.get('outcome')} {details.get('reason')} {details.get('root')}"
        for told, at_s in self._log.query(
            "SELECT what, at_s FROM trouble WHERE origin=?", (origin,)
        ):
            if told == what and isinstance(at_s, int) and 0 <= now_s - at_s < AGAIN_S:
                return None

        def remember(connection: sqlite3.Connection, _number: int) -> None:
            values = (origin, what, now_s)
            connection.execute("INSERT OR REPLACE INTO trouble VALUES (?, ?, ?)", values)

        return self._log.append(LeafKind.CHECKPOINT, details, also=remember)


def collect(
    city: Path,
    log: CityLog,
    paths: Sequence[Path],
    keys: TrustedLogKeys,
    missing_after_s: int,
    now_s: Callable[[], int],
    came: Mapping[str, Iterable[bytes]] | None = None,
) -> tuple[Collected, ...]:
    """`paths`: cameras' logs, folders above, proofs or checkpoints. `missing_after_s`: how long a
    log may go without growing. Which logs must come: those that `keys` names, and those that came
    once. `came`: messages over the broker, by the name in the certificate that sent them.

    One that does not fit costs one. Raises StorageError for the city's own log.
    """
    kept, keys = Collection(city, log), replace(keys, domain=domain_of(city))
    found, faults = offered(paths)
    done = [_one(look(path, keys, kept), kept, now_s()) for path in found]
    done += [Collected("", UNUSABLE, why=str(fault), error=fault) for fault in faults]
    done += _over_the_broker(came or {}, keys, kept, now_s)
    named = {*kept.origins(), *(one.origin for one in done if one.outcome in _CAME)}
    bare = {without_domain(origin) for origin in named}
    expected = {origin for origin in keys.keys if origin and origin not in bare} | named
    told = {one.origin for one in done if one.outcome in _CAME}
    asked = {one.origin: one for one in done if one.outcome == ASKED}
    for origin in sorted(expected - told):
        missing = _missing(origin, kept, missing_after_s, now_s(), asked.get(origin))
        if missing is not None:
            done = [one for one in done if one.origin != origin]
            done.append(missing)
    return tuple(done)


def _one(seen: Look, kept: Collection, now_s: int) -> Collected:
    signed, last = seen.signed, seen.last
    if seen.error is not None:
        return _misfit(seen, seen.error, kept, now_s)
    if signed is None:
        return Collected("", UNUSABLE, why=f"{seen.path}: nothing was signed in it yet")
    if last is not None and last.checkpoint.size == signed.size:
        return Collected(signed.origin, SAME, signed.size, signed.root, last)
    return _taken(seen, signed, kept, now_s, None)


def _over_the_broker(
    came: Mapping[str, Iterable[bytes]],
    keys: TrustedLogKeys,
    kept: Collection,
    now_s: Callable[[], int],
) -> Iterator[Collected]:
    found = sort_messages(came, keys, kept)
    for error in found.bad:
        yield Collected("", UNUSABLE, why=str(error), error=error)
    for origin, messages in found.logs.items():
        for one in _of_log(origin, messages, keys, kept, now_s()):
            yield replace(one, camera=messages[-1].camera)


def _of_log(
    origin: str,
    messages: tuple[Message, ...],
    keys: TrustedLogKeys,
    kept: Collection,
    now_s: int,
) -> Iterator[Collected]:
    last = kept.last(origin)
    news = news_of(messages, last.checkpoint if last else None, kept.published(origin))
    fits = largest_that_fits(news, keys, kept)
    if fits:
        message, seen = fits
        yield _taken(seen, message.signed, kept, now_s, message.published)
    wrong = misfit(news, keys, kept) if news else None
    if wrong and wrong.error:
        yield _misfit(wrong, wrong.error, kept, now_s)
    elif not fits:
        yield _not_grown(messages[-1].signed, kept)


def _not_grown(newest: Checkpoint, kept: Collection) -> Collected:
    """It is as it was, or proves its growth since another size than is held."""
    last = kept.last(newest.origin)
    outcome = SAME if last and newest.size <= last.checkpoint.size else ASKED
    return Collected(newest.origin, outcome, newest.size, newest.root, last)


def _taken(
    seen: Look, signed: Checkpoint, kept: Collection, now_s: int, published: datetime | None
) -> Collected:
    last = seen.last
    outcome = GROWN if last else FIRST
    details = {
        "outcome": outcome,
        "log": signed.origin,
        "size": signed.size,
        "root": signed.root.hex(),
        "before": last.checkpoint.size if last else 0,
        "note_sha256": sha256(seen.note).hexdigest(),
    }
    leaf = kept.keep(signed, details, now_s, published)
    return Collected(signed.origin, outcome, signed.size, signed.root, last, leaf)


def _misfit(seen: Look, error: PlatewardenError, kept: Collection, now_s: int) -> Collected:
    """A refusal is a leaf. What could not be verified, or read, says nothing of the log."""
    signed, last = seen.signed, seen.last
    if not isinstance(error, RefusedError) or signed is None:
        origin = signed.origin if signed else ""
        return Collected(origin, UNUSABLE, before=last, why=str(error), error=error)
    details = {
        "outcome": REFUSED,
        "reason": error.reason,
        "log": signed.origin,
        "size": signed.size,
        "root": signed.root.hex(),
        "before": last.checkpoint.size if last else 0,
        "before_root": last.checkpoint.root.hex() if last else "",
    }
    leaf = kept.trouble(signed.origin, details, now_s)
    told = (signed.origin, REFUSED, signed.size, signed.root, last, leaf)
    return Collected(*told, why=str(error), error=error)


def _missing(
    origin: str, kept: Collection, after_s: int, now_s: int, asked: Collected | None
) -> Collected | None:
    """`asked`: what came, and proves no growth out of what was collected last."""
    last = kept.last(origin)
    if last is not None and now_s - last.at_s < after_s:
        return None
    since = from_posix_s(last.at_s) if last else ""
    details = {
        "outcome": MISSING,
        "log": origin,
        "before": last.checkpoint.size if last else 0,
        "since": since,
        **({"size": asked.size, "root": asked.root.hex()} if asked else {}),
    }
    leaf = kept.trouble(origin, details, now_s)
    why = f"no newer checkpoint since {since}" if since else "no checkpoint has ever come"
    if asked and last:
        why = (
            f"no checkpoint since {since} proves that it has grown out of those "
            f"{last.checkpoint.size} leaves, and one of {asked.size} came: another history, or the "
            "camera does not hear the answers"
        )
    error = StorageError(f"{origin}: {why}", fix="is the camera at work, and its log collected?")
    return Collected(origin, MISSING, before=last, leaf=leaf, why=why, error=error)


def reason_of(one: Collected) -> str:
    """The reason code of a refusal, or ""."""
    return one.error.reason if isinstance(one.error, RefusedError) else ""
