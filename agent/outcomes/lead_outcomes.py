"""What watch does with the outcomes that recipients report: each is a leaf of its log, and too many
false leads stop a rule (docs/design/outcomes.md).

Outcomes are untrusted: deliver, which has the network, wrote them.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import EnvelopeRefusedError, StorageError
from agent.outcomes.odd_files import OddFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.core.policy.policy import Policy
    from agent.core.time.instant import Instant
    from agent.core.wire.receipt import LeadOutcome
    from agent.ports import AuditLog, ReceiptVerifier
    from agent.storage.leads.released_leads import Lead, ReleasedLeads

WINDOW = timedelta(days=30)


class Outcomes(Protocol):
    """What watch may ask of the folder."""

    def arrived(self, unreported: Callable[[], Sequence[str]]) -> Sequence[str]: ...
    def untrusted_outcome(self, read_id: str) -> bytes | None: ...


class LeadOutcomes:
    """Bound to one policy, the one in force. `device`: this camera's id. `stopped`: the rules that
    release nothing, as they stand after the last round.
    """

    def __init__(
        self,
        policy: Policy,
        device: str,
        leads: ReleasedLeads,
        outcomes: Outcomes,
        verifier: ReceiptVerifier,
        log: AuditLog,
    ) -> None:
        self._policy, self._device, self._leads = policy, device, leads
        self._outcomes, self._verifier, self._odd = outcomes, verifier, OddFiles(log, "outcomes")
        self.stopped = leads.stopped(policy.version)
        self._judged = False

    def settle(self, now: Instant) -> None:
        """One round. Raises StorageError."""
        taken = [self._take(read_id) for read_id in self._outcomes.arrived(self._leads.unreported)]
        if any(taken) or not self._judged:
            self._judged = True
            self._stop_rules(now)

    def _take(self, read_id: str) -> bool:
        """Book the outcome that lies under a read's name; refuse once what is none."""
        lead = self._leads.lead(read_id)
        try:
            untrusted_outcome = self._outcomes.untrusted_outcome(read_id)
        except StorageError as error:  # a link, a folder, too large a file
            self._odd.refuse(read_id, "unreadable", Reason.MALFORMED, error.what)
            return False
        if lead is None or untrusted_outcome is None:
            return False
        digest = hashlib.sha256(untrusted_outcome).hexdigest()
        if self._odd.known(read_id, digest):
            return False
        try:
            outcome = self._verifier.verify_outcome(untrusted_outcome)
            require_of(outcome, lead, self._device)
        except EnvelopeRefusedError as refusal:
            self._odd.refuse(read_id, digest, refusal.reason, refusal.what)
            return False
        details = {
            "read": read_id,
            "recipient": lead.recipient,
            "rule": lead.rule,
            "category": lead.category,
            "outcome": outcome.disposition.value,
            "reported": rfc3339(outcome.at),
        }
        self._leads.book(lead, outcome.disposition, details)
        return True

    def _stop_rules(self, now: Instant) -> None:
        version, since = self._policy.version, now.utc - WINDOW
        for rule in self._policy.releases:
            most = rule.max_false_leads
            if most is None or rule.rule in self.stopped:
                continue
            found = self._leads.false_leads(rule.rule, version, since)
            if found >= most:
                details = {
                    "reason": Reason.FALSE_LEADS.value,
                    "rule": rule.rule,
                    "recipient": rule.recipient,
                    "policy_version": version,
                    "false_leads": found,
                    "what": f"the rule stops: {found} false leads in {WINDOW.days} days",
                }
                self._leads.stop(rule.rule, version, details)
                self.stopped |= {rule.rule}


def require_of(outcome: LeadOutcome, lead: Lead, device: str) -> None:
    """An outcome counts for exactly the read, camera and recipient that it names. Raises
    EnvelopeRefusedError(receipt-mismatch).
    """
    answered = {
        "read": outcome.read_id == lead.read_id,
        "device": outcome.device == device,
        "recipient": outcome.recipient == lead.recipient,
    }
    wrong = [name for name, right in answered.items() if not right]
    if wrong:
        raise EnvelopeRefusedError(
            Reason.RECEIPT_MISMATCH,
            f"an outcome for another {' and '.join(wrong)}",
            where="outcome",
        )
