"""The charter: what it forbids is refused, each thing with its reason and the line of the sentence that forbids it."""

import re
from dataclasses import replace

import pytest

from agent.core.charter import parse_charter, require
from agent.core.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.errors import ConfigError, PolicyRefusedError
from tests.support.judging import EXAMPLE, broker, policy, recipient, rule

TEXT = (EXAMPLE / "charter.toml").read_text(encoding="utf-8")
CHARTER = parse_charter(TEXT.encode(), "charter.toml")


def line_of(words):
    return next(number for number, line in enumerate(TEXT.splitlines(), 1) if words in line)


def test_the_shipped_policy_keeps_the_shipped_charter():
    shipped = parse_policy((EXAMPLE / "policy.toml").read_bytes(), "policy.toml")
    assert CHARTER.check(shipped) == ()
    require(shipped, CHARTER)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"recipient": "us-dhs-ice-ero"}, Reason.CHARTER_FORBIDS_RECIPIENT, '"us-dhs-ice-ero"'),
        ({"purpose": "traffic-fines"}, Reason.CHARTER_FORBIDS_PURPOSE, "traffic-fines"),
        ({"categories": frozenset({"amber-alert", "parking"})}, Reason.CHARTER_FORBIDS_CATEGORY, "allowed_categories"),
        ({"retention_days": 22}, Reason.CHARTER_RETENTION, "max_retention"),
    ],
)
def test_each_limit_refuses_with_its_reason_and_the_line_of_its_sentence(changes, reason, words):
    (fault,) = CHARTER.check(policy(rule(**changes)))
    assert fault.reason is reason
    assert (fault.where, fault.line) == ("charter.toml", line_of(words))
    with pytest.raises(PolicyRefusedError) as caught:
        require(policy(rule(**changes)), CHARTER)
    assert caught.value.reason is reason
    assert f"charter.toml:{line_of(words)}" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_forbidden_recipient_may_not_even_be_listed_or_served():
    assert CHARTER.check(policy(rule(), recipients={"town-pd": recipient(), "us-dhs-cbp": recipient("us-dhs-cbp")}))
    assert CHARTER.check(policy(rule(), brokers=(broker("town-pd", "vendor-cloud"),)))


def test_all_faults_are_named_and_the_first_gives_the_reason():
    bad = policy(rule(recipient="us-dhs-cbp", purpose="commercial-use", retention_days=90), rule(rule="second", retention_days=30))
    faults = CHARTER.check(bad)
    assert [fault.reason for fault in faults] == [
        Reason.CHARTER_FORBIDS_RECIPIENT,
        Reason.CHARTER_FORBIDS_PURPOSE,
        Reason.CHARTER_RETENTION,
        Reason.CHARTER_RETENTION,
    ]
    with pytest.raises(PolicyRefusedError) as caught:
        require(bad, CHARTER)
    assert caught.value.reason is Reason.CHARTER_FORBIDS_RECIPIENT
    assert all(words in str(caught.value) for words in ("us-dhs-cbp", "commercial-use", '"stolen"', '"second"', "90d"))


def test_a_charter_that_allows_no_category_allows_no_release():
    assert len(replace(CHARTER, allowed_categories=frozenset()).check(policy())) == 2


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("max_retention", "max_retentions", "max_retentions", "unknown key"),
        ('max_retention = "21d"', "", "max_retention", "missing"),
        ('max_retention = "21d"', 'max_retention = "1d"', "max_retention", "at least 2d"),
        ('"us-dhs-cbp"', '"us-*"', "forbidden_recipients", "wildcards"),
        ('"us-dhs-cbp"', '"US-DHS-CBP"', "forbidden_recipients", "no identifier"),
        ('["stolen-vehicle", "amber-alert", "missing-person"]', '"stolen-vehicle"', "allowed_categories", "valid list"),
    ],
)
def test_a_malformed_charter_is_refused_at_its_line(old, new, field, words):
    text = TEXT.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        parse_charter(text.encode(), "charter.toml")
    assert any(re.match(rf"charter\.toml:\d+: {field}: .*{re.escape(words)}", line) for line in str(caught.value).splitlines())
