"""How a verified log is told: to people, and as plain values."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from agent.audit.verdict import Verdict
from agent.core.text.rfc3339 import from_posix_s
from agent.values import asdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.audit.log_report import LogReport
    from agent.audit.log_verify import Tell
    from agent.audit.many_logs import Verification
    from agent.audit.verdict import Fault
    from agent.audit.witnesses.witnessed import Witnessed
    from agent.storage.log_key import TrustedLogKeys

MAX_SHOWN = 20
_SHORT = {
    Verdict.WHOLE: "whole",
    Verdict.WITHHELD: "leaves withheld",
    Verdict.NOT_AS_SIGNED: "NOT what was signed",
    Verdict.NOT_ALL_CHECKED: "not all checked",
    Verdict.NOT_WITNESSED: "not witnessed",
    Verdict.UNVERIFIED: "nothing verified",
}
_WHOLE_BY_ITS_OWN_KEY = (
    "Whole, by a key that lies beside the log: every leaf is the one that this key signed. Whoever "
    "rewrote one could replace the other, so give --key."
)
_LAST_LINES = {
    Verdict.WHOLE: "Whole: every leaf is the one that was signed, in its order.",
    Verdict.WITHHELD: (
        "LEAVES ARE WITHHELD: {withheld} of {leaves} do not say what they are. The others are as "
        "they were signed."
    ),
    Verdict.NOT_AS_SIGNED: "NOT what was signed.",
    Verdict.NOT_ALL_CHECKED: (
        "NOT ALL WAS CHECKED: the log agrees with its own checkpoints, and was not held against "
        "the file above."
    ),
    Verdict.NOT_WITNESSED: (
        "NOT WITNESSED: the log agrees with its own checkpoints, and too few of the witnesses "
        "asked for have cosigned it."
    ),
    Verdict.UNVERIFIED: "NOTHING WAS VERIFIED: {why}.",
}


@contextmanager
def leaves_bar() -> Iterator[Tell]:
    """A bar on standard error where that is a terminal: a year's log takes a minute."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("leaves", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def as_table(report: LogReport, keys: TrustedLogKeys) -> dict[str, object]:
    """The report as plain values (docs/ref/audit-log.md, "Output of verify")."""
    head, cosigned = report.head, report.witnessed
    since = {"unwitnessed_since": report.unwitnessed_since}
    return {
        **({"witnesses": {**witness_table(cosigned), **since}} if cosigned else {}),
        "ok": report.verdict is Verdict.WHOLE,
        "verdict": report.verdict.value,
        "path": str(report.path),
        "origin": report.origin,
        "key": str(keys.source),
        "key_beside": keys.beside,
        "leaves": report.leaves,
        "withheld": report.log.withheld,
        "kinds": dict(report.kinds),
        "first_at": report.log.first_at,
        "last_at": report.log.last_at,
        "checkpoint": {"size": head.size, "root": head.root.hex()} if head else None,
        "kept": [
            {"file": str(one.file), "size": one.size, "until": one.until} for one in report.kept
        ],
        "faults": [asdict(fault) for fault in report.faults],
        "unverified": report.unverified,
        "unusable": list(report.unusable),
        "warnings": list(report.warnings),
    }


def lines(report: LogReport, keys: TrustedLogKeys) -> Iterator[str]:
    """One log, for people; its last line is the verdict."""
    yield f"log         {report.origin or '(unknown)'}"
    yield f"folder      {report.path}"
    yield f"key         {keys.source}"
    dates = f", {report.log.first_at} to {report.log.last_at}" if report.log.first_at else ""
    yield f"leaves      {report.leaves}{dates}"
    for kind, count in report.kinds.items():
        yield f"  {kind:<10}{count}"
    if report.head:
        yield f"checkpoint  {report.head.size} leaves, root {report.head.root.hex()}"
    for one in report.kept:
        day = f", until {one.until[:10]}," if one.until else ""
        yield f"kept        {one.file}: its {one.size} leaves{day} are still the first of this log"
    if report.witnessed:
        yield from witness_lines(report.witnessed)
        yield from _unwitnessed(report, report.witnessed)
    for warning in report.warnings:
        yield f"note        {warning}"
    for unusable in report.unusable:
        yield f"UNUSED      {unusable}"
    for fault in report.faults[:MAX_SHOWN]:
        yield f"{_label(fault):<12}[{fault.reason}] {sentence(fault)}"
    if len(report.faults) > MAX_SHOWN:
        rest = len(report.faults) - MAX_SHOWN
        yield f"            … and {rest} more faults (--json lists them all)"
    yield _last_line(report, keys)


def witness_table(found: Witnessed) -> dict[str, object]:
    """As plain values. `size`: the leaves that enough witnesses vouch for."""
    return {
        "quorum": str(found.policy),
        "met": found.met,
        "size": found.size,
        "at": from_posix_s(found.at_s) if found.size else "",
        "cosigned": [
            {
                "witness": one.witness,
                "size": one.size,
                "at": from_posix_s(one.at_s),
                "file": str(one.file),
            }
            for one in found.seen
        ],
        "bad": list(found.bad),
    }


def witness_lines(found: Witnessed) -> Iterator[str]:
    """A line a witness, and what they are together."""
    seen = {one.witness: one for one in found.seen}
    for witness in found.policy.witnesses:
        one = seen.get(witness.name)
        told = f"{one.size} leaves, on {from_posix_s(one.at_s)}" if one else "has not cosigned"
        yield f"witness     {witness.name}: {told}"
    for bad in found.bad:
        yield f"UNUSED      {bad}"
    enough = f"{found.size} leaves, since {from_posix_s(found.at_s)}" if found.size else "too few"
    yield f"witnessed   by {found.policy}: {enough if not found.policy.met(()) else 'none needed'}"


def _unwitnessed(report: LogReport, found: Witnessed) -> Iterator[str]:
    if found.size and report.leaves > found.size:
        since = f" since {report.unwitnessed_since}" if report.unwitnessed_since else ""
        yield f"unwitnessed {report.leaves - found.size} leaves{since}"


def summary(done: Verification) -> Iterator[str]:
    """Several logs, in a few lines."""
    for error in done.failed:
        yield f"FAILED      {error}"
    for file in done.unused:
        yield f"UNUSED      {file} is of none of these logs"
    counts = Counter(report.verdict for report, _ in done.logs)
    told = [f"{counts[verdict]} {_SHORT[verdict]}" for verdict in Verdict if counts[verdict]]
    if done.failed:
        told.append(f"{len(done.failed)} could not be judged")
    yield f"{len(done.logs) + len(done.failed)} logs: {', '.join(told) or 'none'}"


def sentence(fault: Fault) -> str:
    """Which leaves, and what is wrong with them."""
    if fault.leaf is None:
        return fault.what
    leaves = (
        f"leaf {fault.leaf}"
        if fault.last in (None, fault.leaf)
        else f"leaves {fault.leaf} to {fault.last}"
    )
    return f"{leaves}{f' of {fault.at}' if fault.at else ''}: {fault.what}"


def _label(fault: Fault) -> str:
    return "WITHHELD" if fault.withheld else "FAULT"


def _last_line(report: LogReport, keys: TrustedLogKeys) -> str:
    if report.verdict is Verdict.WHOLE and keys.beside:
        return _WHOLE_BY_ITS_OWN_KEY
    return _LAST_LINES[report.verdict].format(
        withheld=report.log.withheld, leaves=report.leaves, why=report.unverified
    )
