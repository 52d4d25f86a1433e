"""What a doctor says of a log's witnesses: what was logged since the last daily job may wait, and
what waits for longer is told.
"""

from datetime import timedelta

from agent.audit.witnesses.cosigned_reach import POLICY, WitnessReach
from agent.core.camera.diagnosis_findings import Finding, fail, ok, skip, warn
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.time.instant import Instant

PATIENCE = timedelta(hours=26)  # a day, and some for a daily job
_FIX = (
    f"name witnesses in {POLICY}, and let a daily `platewarden audit submit` ask them "
    "(docs/guide/recipient.md)"
)


def finding_of(reach: WitnessReach, now: Instant) -> Finding:
    """One line, named as the log is."""
    name = reach.log
    if reach.problem:
        return fail(name, reach.problem, "keep the folder as it is, and ask whoever audits you")
    if not reach.leaves:
        return skip(name, "was not begun yet")
    fresh = bool(reach.by) and _within(reach.since, now)
    if fresh or not reach.since:
        return ok(name, reach.words())
    return warn(name, reach.words(), _FIX)


def _within(since: str, now: Instant) -> bool:
    """False also for a leaf that does not say when it was logged."""
    try:
        return now.utc - parse_rfc3339(since) < PATIENCE
    except ValueError:
        return False
