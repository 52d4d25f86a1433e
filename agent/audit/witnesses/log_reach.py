"""How far each of many verified logs is witnessed: by a cosigned checkpoint of its own, or by its
checkpoint in a city's log that is cosigned.

Only checkpoints that the log fulfils count, and none of more leaves than are looked at: so whoever
looks again at as many leaves, with the same cosigned checkpoints, finds the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.audit.checkpoint_files import opened
from agent.audit.proofs.log_tiles import FITTING
from agent.audit.questions.ask import CITY_PROCESS
from agent.audit.shown_leaves import leaves_of
from agent.audit.witnesses.cosigned_reach import logged_at
from agent.audit.witnesses.witnessed import witnessed
from agent.core.log.checkpoint import note as write_note
from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import from_posix_s
from agent.storage.log_key import parts_of
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import database_of, stated_roots
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent.audit.log_report import LogReport
    from agent.core.log.witness_policy import WitnessPolicy
    from agent.storage.log_key import TrustedLogKeys


@dataclass(frozen=True, slots=True)
class Looked:
    """A verified log, of which the first `leaves` are looked at; the cosigned checkpoint that
    somebody holds of it, or b"".
    """

    report: LogReport
    leaves: int
    untrusted_cosigned: bytes = b""


@dataclass(frozen=True, slots=True)
class LogReach:
    """`witnessed`: so many of its first leaves are vouched for, since `at` (RFC 3339), by its own
    cosigned checkpoint or by `through`, the name of a city's log. `since`: when the first leaf was
    logged that nobody vouches for, "" where there is none.
    """

    witnessed: int = 0
    at: str = ""
    through: str = ""
    since: str = ""


def bare_note(
    untrusted_note: bytes, keys: TrustedLogKeys, origin: str, policy: WitnessPolicy
) -> bytes:
    """The note with the lines of the log's key and of the policy's witnesses alone; b"" where it is
    no checkpoint of this log.
    """
    found = opened(untrusted_note)
    if found is None or found[1].origin != origin or keys.for_origin(origin) is None:
        return b""
    names = {(one.key.name, one.key.id) for one in policy.witnesses}
    kept = [
        one for one in found[0].signatures if one.name == origin or (one.name, one.key_id) in names
    ]
    return write_note(found[0].signed, kept)


def reaches(
    logs: Sequence[Looked], keys: TrustedLogKeys, policy: WitnessPolicy | None
) -> Mapping[str, LogReach]:
    """Of each log, by its name. Raises StorageError."""
    sound = [one for one in logs if all(fault.withheld for fault in one.report.faults)]
    found = {one.report.origin: LogReach() for one in logs}
    if policy is not None:
        found |= {one.report.origin: _own(one, keys, policy) for one in sound}
        for city in sound:
            if parts_of(city.report.origin)[1] == CITY_PROCESS:
                vouched = found[city.report.origin]
                for origin, reach in _through(city, vouched, sound):
                    found[origin] = max(found[origin], reach, key=lambda one: one.witnessed)
    return {one.report.origin: _with_since(one, found[one.report.origin]) for one in logs}


def _own(log: Looked, keys: TrustedLogKeys, policy: WitnessPolicy) -> LogReach:
    origin, note = log.report.origin, log.untrusted_cosigned
    key = keys.for_origin(origin)
    signed = verified_checkpoint(note, origin, key) if note and key else None
    if signed is None or not 0 < signed.size <= log.leaves:
        return LogReach()
    if _root(log, signed.size) != signed.root:
        return LogReach()
    told = witnessed([(log.report.path, note)], policy)
    return LogReach(told.size, from_posix_s(told.at_s)) if told.size else LogReach()


def _through(
    city: Looked, vouched: LogReach, logs: Sequence[Looked]
) -> Iterator[tuple[str, LogReach]]:
    """What the vouched beginning of a city's log tells of each of these logs. Where its largest
    checkpoint does not fit, the log was signed in two histories, and none is vouched for.
    """
    wanted = {one.report.origin: one for one in logs}
    best: dict[str, tuple[int, object]] = {}
    for leaf in leaves_of(city.report, vouched.witnessed):
        said = leaf.details
        if leaf.kind != LeafKind.CHECKPOINT or said.get("outcome") not in FITTING:
            continue
        log, size = wanted.get(str(said.get("log"))), said.get("size")
        if log is None or type(size) is not int or not 0 < size <= log.leaves:
            continue
        if size > best.get(log.report.origin, (0, ""))[0]:
            best[log.report.origin] = size, said.get("root")
    for origin, (size, root) in best.items():
        if _root(wanted[origin], size).hex() == root:
            yield origin, LogReach(size, vouched.at, city.report.origin)


def _root(log: Looked, size: int) -> bytes:
    """The root that the log states for so many leaves; b"" where it states none."""
    return stated_roots(database_of(log.report.path), [size]).get(size, b"")


def _with_since(log: Looked, found: LogReach) -> LogReach:
    if found.witnessed >= log.leaves:
        return found
    since = logged_at(database_of(log.report.path), found.witnessed)
    return LogReach(found.witnessed, found.at, found.through, since)
