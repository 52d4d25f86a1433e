"""Answers "can this agency get this?" from policy and charter alone: by which rule, until when; or which sentence refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.policy import NEVER_RELEASE
from agent.core.reasons import Reason

if TYPE_CHECKING:
    from datetime import date

    from agent.core.charter import Charter
    from agent.core.policy import Policy, ReleaseRule


@dataclass(frozen=True, slots=True)
class Permission:
    """What one rule lets one recipient have. `until`: from this day on (UTC) no more; `brokers`: who carries the sealed reads."""

    rule: str
    categories: tuple[str, ...]
    match: tuple[str, ...]
    min_confidence: float
    max_per_hour: int
    purpose: str
    retention_days: int
    include: tuple[str, ...]
    until: date
    brokers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """May this recipient get anything? `permissions` where it may; else `reason` and `sentence`, which says what refuses and where it stands."""

    recipient: str
    legal_name: str
    basis: str
    permissions: tuple[Permission, ...]
    reason: Reason
    sentence: str

    @property
    def allowed(self) -> bool:
        return bool(self.permissions)


def who_could_receive(policy: Policy, charter: Charter) -> tuple[Explanation, ...]:
    """Everybody whom policy or charter names, those who may receive first; nobody else can receive anything."""
    named = dict.fromkeys([*policy.recipients, *(rule.recipient for rule in policy.releases), *sorted(charter.forbidden_recipients)])
    explained = [explain_recipient(policy, charter, recipient) for recipient in named]
    return tuple(sorted(explained, key=lambda one: not one.allowed))  # stable: otherwise in the order of the files


def explain_recipient(policy: Policy, charter: Charter, recipient_id: str) -> Explanation:
    """What this recipient may get, or why it gets nothing. The charter is asked first: what it forbids, no policy permits."""
    recipient = policy.recipients.get(recipient_id)
    legal_name, basis = (recipient.legal_name, recipient.basis) if recipient else ("", "")
    reason, sentence = _refusal(policy, charter, recipient_id)
    if reason is not Reason.RELEASED:
        return Explanation(recipient_id, legal_name, basis, (), reason, sentence)
    rules = [rule for rule in policy.releases if rule.recipient == recipient_id]
    permitted = [rule for rule in rules if not any(charter.forbids_rule(rule))]
    if not permitted:
        fault = next(fault for rule in rules for fault in charter.forbids_rule(rule))
        return Explanation(recipient_id, legal_name, basis, (), fault.reason, f"The charter forbids it: {fault}.")
    permissions = tuple(_permission(policy, rule) for rule in permitted)
    named = " and ".join(f'"{one.rule}"' for one in permissions)
    sentence = f'Yes, by {named} of "{policy.name}", version {policy.version}; whatever no rule names never leaves the camera.'
    return Explanation(recipient_id, legal_name, basis, permissions, Reason.RELEASED, sentence)


def _refusal(policy: Policy, charter: Charter, recipient_id: str) -> tuple[Reason, str]:
    """Why this recipient gets nothing, whatever the rules say; RELEASED where nothing speaks against it."""
    forbidden = charter.forbids_recipient(recipient_id)
    if forbidden is not None:
        return forbidden.reason, f'"{charter.name}" forbids it by name ({forbidden.where}:{forbidden.line}); no policy under this charter can list it.'
    if recipient_id not in policy.recipients:
        return Reason.RECIPIENT_NOT_IN_POLICY, f'No [[recipient]] of "{policy.name}", version {policy.version}, has this id, and what is not named is refused.'
    if all(rule.recipient != recipient_id for rule in policy.releases):
        return (
            Reason.RULE_NOT_IN_POLICY,
            f'"{policy.name}", version {policy.version}, lists it, but no [[release]] names it, and what no rule names is dropped.',
        )
    if not policy.served(recipient_id):
        return Reason.NO_BROKER_FOR_RECIPIENT, "No [[broker]] of the policy carries reads to it."
    return Reason.RELEASED, ""


def _permission(policy: Policy, rule: ReleaseRule) -> Permission:
    return Permission(
        rule=rule.rule,
        categories=tuple(sorted(rule.categories - {NEVER_RELEASE})),
        match=tuple(level for level in ("exact", "text", "confusable") if level in rule.match),
        min_confidence=rule.min_confidence,
        max_per_hour=rule.max_per_hour,
        purpose=rule.purpose,
        retention_days=rule.retention_days,
        include=tuple(name for name in ("plate", "crop", "captured_at", "camera") if name in rule.include),
        until=min(policy.expires, policy.recipients[rule.recipient].expires),
        brokers=tuple(broker.id for broker in policy.brokers if rule.recipient in broker.recipients),
    )
