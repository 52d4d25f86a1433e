"""How an auditor's command ends: with the worst that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.audit.verdict import Verdict
from agent.commands.audit.audit_output import sentence
from agent.errors import LogRefusedError, PlatewardenError, UsageError

if TYPE_CHECKING:
    from agent.audit.log_report import LogReport
    from agent.audit.many_logs import Verification


def error_of(done: Verification) -> PlatewardenError | None:
    """The worst of it, as the command's last word."""
    worst = [report for report, _ in done.logs if report.verdict.exit_code == done.exit_code]
    if done.exit_code == LogRefusedError.exit_code:
        return _refusal(worst[0])
    failed = [error for error in done.failed if error.exit_code == done.exit_code]
    if failed or not done.exit_code:
        return failed[0] if failed else None
    if worst and worst[0].unverified:
        return UsageError(
            f"nothing was verified: {worst[0].unverified}",
            where=worst[0].path,
            fix="give the key that the city enrolled for this camera, or its roster.jws",
        )
    if worst and worst[0].verdict is Verdict.NOT_WITNESSED and worst[0].witnessed:
        return UsageError(
            f"is not cosigned by {worst[0].witnessed.policy}",
            where=worst[0].path,
            fix="give the cosigned checkpoint (--checkpoint), or ask the witnesses for theirs",
        )
    what = worst[0].unusable[0] if worst else f"{done.unused[0]} is of none of these logs"
    return UsageError(
        f"not all was checked: {what}",
        fix="give the checkpoint as it was copied then, with the log that it is of",
    )


def _refusal(report: LogReport) -> LogRefusedError:
    first = report.faults[0]
    return LogRefusedError(
        first.reason,
        sentence(first),
        where=report.path,
        fix="keep the folder unchanged as evidence; see docs/guide/auditor.md",
    )
