"""The demo's second half: what a stranger can check. The report, with the answer to "was it sent?",
a leaf whose words were withheld, a witness's cosignature, and a read that is held for a court.
"""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from agent.audit.log_verify import verify
from agent.audit.trusted_keys import keys_of
from agent.audit.verdict import Verdict
from agent.audit.witnesses.log_witness import witness_all
from agent.audit.witnesses.witness_folder import new_witness, open_witness
from agent.city.report.checker.checker_page import checker_page
from agent.city.report.make import Asked, make
from agent.city.report.report_tables import Period
from agent.city.report.shown.forms import as_json
from agent.city.report.shown.report_page import as_html
from agent.core.reasons import Reason
from agent.demo import throwaway_city as demo_city
from agent.demo.installation import Installation
from agent.demo.signed.half_signed import OTHER_CAMERA, SIGNED, before_the_push
from agent.demo.signed.held import hold_the_read
from agent.disk.atomic_file import write_atomic
from agent.errors import PlatewardenError
from agent.values import dataclass

WITNESS = "witness.example/demo"
REPORT, REPORT_JSON, CHECKER, ARCHIVE = "report.html", "report.json", "check.html", "archive"


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that anybody can check. `code`: a reason or a word that programs know."""

    what: str
    code: str
    evidence: str


def prove(installation: Installation, out: Path) -> tuple[Proof, ...]:
    """All of them; `out` takes the report, the page that checks it and the archive.

    Raises PlatewardenError when anything is not as promised.
    """
    return (
        *_report(installation, out),
        _withheld(installation),
        _witnessed(installation),
        _held(installation),
    )


def _held(installation: Installation) -> Proof:
    """A court needs the read longer than its deadline."""
    found = hold_the_read(installation)
    kept = found.opened == 1 and found.closed
    _require(kept, "a held read that only its holder opens", str(found))
    _require(found.gone and found.whole, "the end of a hold, as a leaf", str(found))
    return Proof(
        "Two people order that the one read is held for a court",
        "held",
        f"After {found.deadline}, when its key was destroyed, its holder alone opened it. With the "
        f"hold it ended; {found.leaves} leaves tell of it.",
    )


def _report(installation: Installation, out: Path) -> tuple[Proof, ...]:
    """From the signed archive and verified logs alone."""
    archive = before_the_push(installation)
    month = f"{installation.city.today:%Y-%m}"
    logs = [installation.state / side for side in ("watch", "deliver")]
    logs.append(installation.work / SIGNED / "camera/state/watch")
    names = (demo_city.FORBIDDEN, demo_city.RECIPIENT)
    made = make(Asked(archive, logs, Period(month), names))
    sent, nothing = made.report.said
    whole = all(one.report.verdict is Verdict.WHOLE for one in made.logs)
    _require(whole and len(made.logs) == len(logs), "a report of whole logs", str(made.failed))
    _require("nothing could" in nothing, "that nothing could have gone there", nothing)
    _require(sent.startswith("1–4 readings went"), "that something went to the police", sent)
    write_atomic(out / REPORT, as_html(made.report), 0o644)
    write_atomic(out / REPORT_JSON, as_json(made.report), 0o644)
    write_atomic(out / CHECKER, checker_page(), 0o644)
    shutil.copytree(archive, out / ARCHIVE, dirs_exist_ok=True)
    shutil.copytree(logs[-1], out / "log" / f"{OTHER_CAMERA}-watch", dirs_exist_ok=True)
    where = f"{REPORT}, made again by `report --verify`, and checked in a browser by {CHECKER}"
    return (
        Proof("The public report, from the archive and the logs alone", "whole", where),
        Proof(
            "Was anything sent to immigration enforcement, and could it be?",
            "nothing-could",
            nothing,
        ),
    )


def _withheld(installation: Installation) -> Proof:
    """A copy of the log in which somebody wiped what the release says."""
    copy = installation.work / "attempt-withheld"
    shutil.copytree(installation.state / "watch", copy)
    with closing(sqlite3.connect(copy / "log.sqlite")) as connection, connection:
        wiped = connection.execute(
            "UPDATE leaf SET details = NULL, salt = NULL WHERE instr(details, ?) RETURNING n",
            (b'"kind":"release"',),
        ).fetchall()
    _require(len(wiped) == 1, "one release in the log", str(wiped))
    report = verify(copy, keys_of([installation.work / "device" / "public.json"], None))
    found = [fault for fault in report.faults if fault.reason == Reason.LEAF_WITHHELD]
    caught = report.verdict is Verdict.WITHHELD and [one.leaf for one in found] == [wiped[0][0]]
    _require(caught, "a withheld leaf", str(report.faults))
    return Proof(
        "Somebody wipes what the log says of the release, and leaves its hash",
        Reason.LEAF_WITHHELD,
        f"Leaf {wiped[0][0]} says nothing any more. The log is as it was signed, and not whole.",
    )


def _witnessed(installation: Installation) -> Proof:
    """A stranger looks whether the log has only grown, and signs that."""
    folder = installation.work / "witness"
    public = new_witness(folder, WITNESS)
    keys = keys_of([installation.work / "device" / "public.json"], None)
    with open_witness(folder) as opened:
        (looked,) = witness_all(
            [installation.state / "watch"], opened, keys, lambda: int(time.time())
        )
    file, signed = looked.file, looked.signed
    if file is None or signed is None:
        raise PlatewardenError(f"the demo's witness did not cosign: {looked.error}")
    line = next(
        one
        for one in file.read_text(encoding="utf-8").splitlines()
        if one.startswith(f"— {WITNESS}")
    )
    return Proof(
        "A witness, a stranger to the city, cosigns the log",
        "cosignature/v1",
        f"{signed.size} leaves, by {public.name}: {line[:60]}…",
    )


def _require(holds: bool, what: str, evidence: str) -> None:  # noqa: FBT001 (a plain assertion)
    if not holds:
        raise PlatewardenError(
            f"the demo did not show {what}: {evidence}", fix="please report this"
        )
