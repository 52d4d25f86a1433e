"""Explain: who could receive, by which rule; and the sentence that refuses everybody else."""

from dataclasses import replace

import pytest

from agent.core.charter import parse_charter
from agent.core.explain import explain_recipient, who_could_receive
from agent.core.policy_file import parse_policy
from agent.core.reasons import Reason
from tests.support.judging import EXAMPLE, policy, recipient, rule

POLICY = parse_policy((EXAMPLE / "policy.toml").read_bytes(), "policy.toml")
CHARTER = parse_charter((EXAMPLE / "charter.toml").read_bytes(), "charter.toml")


def test_who_may_receive_is_told_with_rule_purpose_and_end():
    told = explain_recipient(POLICY, CHARTER, "exampleville-pd")
    assert told.allowed
    assert (told.reason, told.legal_name, told.basis) == (Reason.RELEASED, "Exampleville Police Department", "Ordinance 2026-14")
    (permission,) = told.permissions
    assert (permission.rule, permission.purpose, permission.retention_days) == ("stolen-and-amber", "stolen-vehicle-recovery", 21)
    assert (permission.match, permission.include[0], permission.brokers) == (("exact", "text"), "plate", ("city-hall",))
    assert permission.until == POLICY.expires
    assert '"stolen-and-amber"' in told.sentence
    assert explain_recipient(POLICY, CHARTER, "example-county-sheriff").permissions[0].until == POLICY.recipients["example-county-sheriff"].expires


def test_the_charters_sentence_refuses_first_and_is_named_by_line():
    told = explain_recipient(POLICY, CHARTER, "us-dhs-ice-ero")
    assert not told.allowed
    assert told.reason is Reason.CHARTER_FORBIDS_RECIPIENT
    at = next(number for number, line in enumerate((EXAMPLE / "charter.toml").read_text().splitlines(), 1) if "us-dhs-ice-ero" in line)
    assert f"charter.toml:{at}" in told.sentence


def test_who_is_not_named_is_refused_by_default():
    told = explain_recipient(POLICY, CHARTER, "next-towns-pd")
    assert (told.allowed, told.reason) == (False, Reason.RECIPIENT_NOT_IN_POLICY)
    assert "what is not named is refused" in told.sentence


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (policy(rule(), recipients={"town-pd": recipient(), "sheriff": recipient("sheriff")}), Reason.RULE_NOT_IN_POLICY),
        (policy(rule(), rule(rule="other", recipient="sheriff"), brokers=()), Reason.NO_BROKER_FOR_RECIPIENT),
        (policy(rule(), rule(rule="other", recipient="sheriff", purpose="traffic-fines")), Reason.CHARTER_FORBIDS_PURPOSE),
        (policy(rule(), rule(rule="other", recipient="sheriff", retention_days=400)), Reason.CHARTER_RETENTION),
    ],
)
def test_who_is_listed_but_gets_nothing_is_told_why(asked, reason):
    told = explain_recipient(asked, CHARTER, "sheriff")
    assert (told.allowed, told.reason) == (False, reason)
    assert told.sentence.endswith(".")


def test_everybody_who_is_named_anywhere_is_answered_for_those_who_may_first():
    told = who_could_receive(POLICY, CHARTER)
    assert [one.recipient for one in told if one.allowed] == ["exampleville-pd", "example-county-sheriff"]
    assert [one.allowed for one in told] == sorted((one.allowed for one in told), reverse=True)
    assert {one.recipient for one in told} == {*POLICY.recipients, *CHARTER.forbidden_recipients}


def test_a_charter_that_turns_against_a_listed_recipient_wins():
    told = explain_recipient(POLICY, replace(CHARTER, forbidden_recipients=frozenset({"exampleville-pd"})), "exampleville-pd")
    assert (told.allowed, told.reason) == (False, Reason.CHARTER_FORBIDS_RECIPIENT)
