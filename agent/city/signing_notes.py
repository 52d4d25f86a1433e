"""What a signer should know that is in no difference: what `policy check` finds, placeholders that
were left, files that are missing, recipients without keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.jurisdiction_files import shipped
from agent.city import drafts
from agent.core.judging.check.charter_check import OTHER
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.errors import ConfigError, PolicyRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from agent.city.drafts import Texts

_MOST = 20  # a signer reads no more; `policy check` tells all


def require_distinct(new: Texts, others: frozenset[str]) -> None:
    """Refuse a purpose that is nearly a forbidden one, unless the signer says by its name that it
    is another. Raises PolicyRefusedError.

    Mitigates against: a letter left out of what the council forbids, which one signer overlooks.
    """
    if new.policy is None or new.charter is None:
        return
    charter = parse_charter(new.charter, drafts.CHARTER)
    for rule in parse_policy(new.policy, drafts.POLICY_TOML).releases:
        near = charter.nearly_forbidden(rule.purpose)
        if near is not None and rule.purpose not in others:
            raise PolicyRefusedError(
                Reason.PURPOSE_NEAR_FORBIDDEN,
                f'release "{rule.rule}": purpose "{rule.purpose}" is near "{near}", which the '
                "charter forbids",
                where=drafts.POLICY_TOML,
                fix=OTHER,
            )


def found(new: Texts, today: date, others: frozenset[str]) -> Iterator[str]:
    """What `policy check` finds in what is to be signed, faults first; nothing without a policy."""
    if new.policy is None:
        return
    policy = parse_policy(new.policy, drafts.POLICY_TOML)
    checked = check_policy(
        File(new.policy, drafts.POLICY_TOML),
        Against(
            File(new.charter, drafts.CHARTER) if new.charter else None,
            File(new.cameras, drafts.CAMERAS) if new.cameras else None,
            shipped(policy.jurisdiction),
            today,
            others,
        ),
    )
    told = [f"{one.place}: fault: {one.what} [{one.code}]" for one in checked.faults]
    told += [f"{one.place}: {one.what}" for one in checked.notes]
    if told:
        yield "What policy check finds"
        yield from (f"  {line}" for line in told[:_MOST])
        if len(told) > _MOST:
            yield f"  … and {len(told) - _MOST} more: platewarden policy check"


def missing(new: Texts, folder: Path, roles: frozenset[str], today: date) -> Iterator[str]:
    """What would stop cameras although everything is signed."""
    if new.policy is None:
        yield from _authorities(folder)
        return
    policy = parse_policy(new.policy, drafts.POLICY_TOML)
    for name in sorted(policy.recipients):
        if f"keys-{name}" not in roles and any(rule.recipient == name for rule in policy.releases):
            yield (
                f"Nobody signs keys for {name}: until then nothing is sealed to it. "
                f"bundle rotate --role keys-{name} --add FILE.pub"
            )
    if policy.expires <= today:
        yield (
            f"The policy has expired, on {policy.expires}: under it no camera publishes anything."
        )


def _authorities(folder: Path) -> Iterator[str]:
    """Certificates that the draft of the policy names and nobody has brought: the policy's signers
    are stopped by them, so the charter's are told.
    """
    draft = folder / drafts.POLICY_TOML
    try:
        policy = parse_policy(draft.read_bytes(), str(draft)) if draft.is_file() else None
    except ConfigError:
        return  # the policy's signers are told each fault
    for called, server in policy.servers.items() if policy else ():
        if not (folder / "ca" / server.ca).is_file():
            yield (
                f"ca/{server.ca} is missing: without it the policy cannot be signed. "
                f"The operator of {called} has it."
            )
