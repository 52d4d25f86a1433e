"""Asks the city's log whether every camera's checkpoints came, and fitted."""

from agent.audit.questions.findings import Answer, Finding, about, text_of
from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import LeafKind

_FINDINGS = {"missing": Finding.CHECKPOINT_MISSING, "refused": Finding.CHECKPOINT_MISFIT}


def checkpoint_told(leaf: ShownLeaf) -> Answer | None:
    """The answer to one leaf of the city's log; None: nothing is wrong by it."""
    finding = _FINDINGS.get(text_of(leaf.details, "outcome"))
    if leaf.kind != LeafKind.CHECKPOINT or finding is None:
        return None
    log = text_of(leaf.details, "log")
    if finding is Finding.CHECKPOINT_MISSING:
        since = text_of(leaf.details, "since")
        came = " that proves its growth" if "root" in leaf.details else ""
        when = f"since {since}" if since else "has ever come"
        return about(finding, leaf, f"{log}: none{came} {when}")
    return about(finding, leaf, f"{log}: {text_of(leaf.details, 'reason')}")
