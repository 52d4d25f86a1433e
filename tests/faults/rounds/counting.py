"""What became of every read, counted from three logs that know nothing of each other: watch's,
deliver's, and the recipients' stores.
"""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

FINAL = ("receipt", "expired", "withdrawal", "lost")


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers of reads; `faults`: a sentence for each thing that must not be."""

    released: int
    receipted: int
    expired: int
    withdrawn: int
    waiting: int
    lost: int
    duplicates: int
    faults: tuple[str, ...]


@dataclass
class Told:
    """What the three logs say. `released`: read id → (recipient, number, digest). `final`: read id
    → kinds of watch's last leaves. `stored`, `rejected`: recipient → read id → digest.
    """

    released: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    released_again: list[str] = field(default_factory=list)
    final: dict[str, list[str]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    delivered: dict[str, str] = field(default_factory=dict)
    stored: dict[str, dict[str, str]] = field(default_factory=dict)
    rejected: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers_twice: list[str] = field(default_factory=list)


def leaves(log: Path, after: int = -1) -> list[dict[str, object]]:
    """A log's openings, oldest first; of those beyond a number only."""
    if not log.exists():
        return []
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            rows = connection.execute(
                "SELECT n, details FROM leaf WHERE n > ? ORDER BY n", (after,)
            ).fetchall()
        except sqlite3.OperationalError:
            return []  # made, not yet filled
    return [{"n": number, **json.loads(details)} for number, details in rows]


def gather(state: Path, stores: dict[str, Path]) -> Told:
    """Read all three, each by itself."""
    told = Told()
    for leaf in leaves(state / "watch/log.sqlite"):
        read = str(leaf.get("read", ""))
        if leaf["kind"] == "release":
            if read in told.released:
                told.released_again.append(read)
            told.released[read] = (leaf["recipient"], leaf["sequence"], leaf["sha256"])
        elif leaf["kind"] in FINAL:
            told.final.setdefault(read, []).append(str(leaf["kind"]))
            told.outcomes[read] = str(leaf.get("outcome", ""))
    for leaf in leaves(state / "deliver/log.sqlite"):
        if leaf["kind"] == "receipt":
            told.delivered[str(leaf["read"])] = str(leaf["outcome"])
    for name, store in stores.items():
        _look_into(told, name, store)
    return told


def _look_into(told: Told, name: str, store: Path) -> None:
    with closing(sqlite3.connect(store / "index.sqlite", timeout=5)) as index:
        rows = index.execute("SELECT read_id, sha256, sequence FROM reads").fetchall()
        told.stored[name] = {read: digest for read, digest, _ in rows}
        often = Counter(sequence for _, _, sequence in rows)
        told.numbers_twice += [f"{name}: number {n}" for n, times in often.items() if times > 1]
        told.numbers_twice += [
            f"{name}: number {n} with other bytes"
            for (n,) in index.execute("SELECT sequence FROM twice")
        ]
        told.rejected[name] = dict(index.execute("SELECT read_id, sha256 FROM rejections"))


def count(told: Told) -> Counted:
    """Where the three disagree, there is a fault."""
    lost, faults = _lost(told), []
    by_number = Counter((recipient, number) for recipient, number, _ in told.released.values())
    duplicates = [f"read {read} was released twice" for read in told.released_again]
    duplicates += [
        f"number {number} of {recipient} was used {times} times"
        for (recipient, number), times in by_number.items()
        if times > 1
    ]
    duplicates += [
        f"read {read} left {len(k)} times" for read, k in told.final.items() if len(k) > 1
    ]
    duplicates += told.numbers_twice
    faults += [f"lost: {words}" for words in lost]
    faults += [f"duplicate: {words}" for words in duplicates]
    faults += _gaps(told)
    strangers = {read for store in told.stored.values() for read in store} - told.released.keys()
    faults += [f"read {read} is stored and was never released" for read in sorted(strangers)]
    kinds = Counter(kinds[0] for kinds in told.final.values())
    return Counted(
        len(told.released),
        kinds["receipt"],
        kinds["expired"],
        kinds["withdrawal"],
        len(told.released.keys() - told.final.keys()),
        len(lost),
        len(duplicates),
        tuple(faults),
    )


def _lost(told: Told) -> list[str]:
    """Reads that watch let go of and nobody has: no end but a receipt, an expiry or a withdrawal,
    and a receipt only for what lies in the store, byte for byte, or was turned away there.
    """
    lost = []
    for read, (recipient, _, digest) in told.released.items():
        kind = told.final.get(read, ["waits"])[0]
        kept = told.rejected if told.outcomes.get(read, "").startswith("rejected") else told.stored
        if kind == "lost":
            lost.append(f"read {read}: watch says so")
        elif kind == "receipt" and kept.get(recipient, {}).get(read) != digest:
            lost.append(f"read {read}: receipted, and not in the store of {recipient}")
        elif kind == "receipt" and read not in told.delivered:
            lost.append(f"read {read}: receipted, and deliver's log has no receipt")
    return lost


def _gaps(told: Told) -> list[str]:
    faults = []
    for recipient in sorted({recipient for recipient, _, _ in told.released.values()}):
        numbers = sorted(n for whose, n, _ in told.released.values() if whose == recipient)
        if numbers != list(range(1, len(numbers) + 1)):
            faults.append(f"the numbers of {recipient} have a gap")
    return faults
