"""`policy explain --json`: one object, as docs/ref/policy-explain.md describes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.core.judging.explain.answers import Answer, Explained, Obstacle
from agent.core.judging.explain.cited_lines import Cited
from agent.core.judging.explain.explanation import Grant, hours
from agent.core.judging.explain.false_leads import Estimate
from agent.core.judging.explain.prohibitions import Prohibition
from agent.values import asdict


def as_table(told: Explained, leads: Mapping[str, Estimate]) -> dict[str, Any]:
    """The answers as plain values."""
    return {
        "policy": {
            "name": told.policy.name,
            "version": told.policy.version,
            "digest": told.policy.digest,
        },
        "charter": {"name": told.charter.name, "digest": told.charter.digest}
        if told.charter
        else None,
        "in_force": told.standing.table() if told.standing else None,
        "on": str(told.on),
        "cameras": list(told.cameras),
        "questions_asked": told.asked,
        "answers": [_answer(answer, leads) for answer in told.answers],
        "charter_forbids": forbidden(told.forbids),
        "anybody_else": {"may_receive": False, "refused_by": [_obstacle(told.default)]},
    }


def _answer(answer: Answer, leads: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        "recipient": answer.recipient,
        "legal_name": answer.legal_name,
        "basis": answer.basis,
        "purpose_asked": answer.purpose or None,
        "may_receive": answer.allowed,
        "rules": [_grant(grant, leads[grant.rule]) for grant in answer.grants],
        "allowed_by": lines(answer.cited),
        "refused_by": [_obstacle(obstacle) for obstacle in answer.obstacles],
        "law": [asdict(law) for law in answer.law],
    }


def _grant(grant: Grant, estimate: Estimate) -> dict[str, Any]:
    return {
        "rule": grant.rule,
        "purpose": grant.purpose,
        "categories": list(grant.categories),
        "match": [level.value for level in grant.levels],
        "cameras": {camera: hours(parts) for camera, parts in grant.times},
        "min_confidence": grant.min_confidence,
        "max_per_hour": grant.max_per_hour,
        "max_false_leads": grant.max_false_leads,
        "retention_days": grant.retention_days,
        "include": list(grant.include),
        "since": str(grant.since),
        "until": str(grant.until),
        "brokers": list(grant.brokers),
        "false_leads_per_camera_and_day": {
            "estimate": estimate.per_day,
            "listed": estimate.listed,
            "with_100000_listed": (estimate.of_full_list or estimate).per_day,
            "true_leads_for_comparison": estimate.true_per_day,
            "steps": [
                {"what": step.what, "how": step.how, "result": step.result}
                for step in estimate.steps
            ],
        },
    }


def _obstacle(obstacle: Obstacle) -> dict[str, Any]:
    return {
        "reason": obstacle.reason.value,
        "says": obstacle.says,
        "lines": lines(obstacle.cited),
    }


def forbidden(found: Iterable[Prohibition]) -> list[dict[str, Any]]:
    """What the charter forbids every policy."""
    return [{"says": one.says, "lines": lines([one.cited])} for one in found]


def lines(cited: Iterable[Cited]) -> list[dict[str, Any]]:
    """Lines quoted from the files; `line`: None for a file as a whole."""
    return [{"file": line.where, "line": line.line or None, "text": line.text} for line in cited]
