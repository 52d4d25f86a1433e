"""The charter: what it forbids is refused, each thing with its reason and the line of the sentence
that forbids it.
"""

import re
from dataclasses import replace

import pytest

from agent.core.policy.charter import open_charter, parse_charter, require
from agent.core.policy.schema.policy_file import parse_policy
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
        (
            {"categories": frozenset({"amber-alert", "parking"})},
            Reason.CHARTER_FORBIDS_CATEGORY,
            "allowed_categories",
        ),
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


HOLDS = "[holds]\nsignatures = 2\nwindow_minutes = 60\nlongest_days = 30\n"
SIGNER = '[[hold_signer]]\nname = "{}"\nkey = "{}"\n'
TWO = SIGNER.format("a", "11" * 32) + SIGNER.format("b", "22" * 32)


def test_who_may_order_a_hold_stands_in_the_charter():
    holds = parse_charter(f"{TEXT}\n{HOLDS}{TWO}".encode(), "charter.toml").holds
    assert (holds.city, holds.threshold, holds.minutes, holds.days) == (CHARTER.name, 2, 60, 30)
    assert holds.signers == {bytes.fromhex("11" * 32): "a", bytes.fromhex("22" * 32): "b"}
    assert CHARTER.holds is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (HOLDS, "asks for 2 of 0 signers"),
        (HOLDS + SIGNER.format("a", "11" * 32), "asks for 2 of 1 signers"),
        (HOLDS + SIGNER.format("a", "11" * 32) * 2, "is there twice"),
        (HOLDS.replace("= 2", "= 1") + TWO, "2"),
        (HOLDS.replace("= 60", "= 1441") + TWO, "1440"),
        (HOLDS.replace("longest_days = 30\n", "") + TWO, "longest_days"),
        (TWO, "has no [holds]"),
    ],
)
def test_a_forgotten_or_a_single_hand_is_a_fault_of_the_charter(more, says):
    with pytest.raises(ConfigError) as caught:
        parse_charter(f"{TEXT}\n{more}".encode(), "charter.toml")
    assert says in str(caught.value)


def test_a_policy_with_more_additions_by_hand_than_the_charter_permits_is_refused():
    text = TEXT + "\n[hotlist]\nadditions_per_day = 2\n"
    shipped = parse_policy((EXAMPLE / "policy.toml").read_bytes(), "policy.toml")
    assert shipped.hotlist.additions_per_day == 3
    (fault,) = parse_charter(text.encode(), "charter.toml").check(shipped)
    assert (fault.reason, fault.line) == (Reason.CHARTER_HOTLIST_LIMIT, text.count("\n"))
    assert parse_charter(text.replace("= 2\n", "= 3\n").encode(), "c").check(shipped) == ()


def test_a_forbidden_recipient_may_not_even_be_listed_or_served():
    assert CHARTER.check(
        policy(rule(), recipients={"town-pd": recipient(), "us-dhs-cbp": recipient("us-dhs-cbp")})
    )
    assert CHARTER.check(policy(rule(), brokers=(broker("town-pd", "vendor-cloud"),)))


def test_all_faults_are_named_and_the_first_gives_the_reason():
    bad = policy(
        rule(recipient="us-dhs-cbp", purpose="commercial-use", retention_days=90),
        rule(rule="second", retention_days=30),
    )
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
    assert all(
        words in str(caught.value)
        for words in ("us-dhs-cbp", "commercial-use", '"stolen"', '"second"', "90d")
    )


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
        (
            '["stolen-vehicle", "amber-alert", "missing-person"]',
            '"stolen-vehicle"',
            "allowed_categories",
            "must be a list",
        ),
    ],
)
def test_a_malformed_charter_is_refused_at_its_line(old, new, field, words):
    text = TEXT.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        parse_charter(text.encode(), "charter.toml")
    assert any(
        re.match(rf"charter\.toml:\d+: {field}: .*{re.escape(words)}", line)
        for line in str(caught.value).splitlines()
    )


# One name a line, so that each fault has a line of its own.
SPREAD = """\
name = "Town charter"
forbidden_recipients = [
  "ice",
  "vendor-cloud",
]
forbidden_purposes = [
  "sale",
  "traffic-fines",
]
allowed_categories = ["stolen-vehicle"]
max_retention = "21d"
forbidden_kinds = [
  "private",
  "vendor",
]
"""


def test_each_fault_in_full_at_the_line_of_the_very_name():
    charter = parse_charter(SPREAD.encode(), "charter.toml")
    bad = policy(
        rule(recipient="vendor-cloud", purpose="traffic-fines", retention_days=30),
        recipients={
            "vendor-cloud": recipient("vendor-cloud", kind="vendor"),
            "town-pd": recipient(kind=""),
        },
    )
    told = [
        'recipient "vendor-cloud" is forbidden (charter.toml:4)',
        'recipient "vendor-cloud" is a vendor, and kinds are forbidden (charter.toml:14)',
        'recipient "town-pd" does not tell its kind, and kinds are forbidden (charter.toml:12)',
        'release "stolen": purpose "traffic-fines" is forbidden (charter.toml:8)',
        'release "stolen": category "amber-alert" is not allowed (charter.toml:10)',
        'release "stolen": retention 30d is longer than 21d (charter.toml:11)',
    ]
    assert list(map(str, charter.check(bad))) == told
    with pytest.raises(PolicyRefusedError) as caught:
        require(bad, charter)
    assert f"the charter does not permit policy 'Town policy' version 7: {'; '.join(told)}" in str(
        caught.value
    )
    assert caught.value.fix == "change the policy, or ask the council"


def test_one_rule_alone_tells_its_forbidden_recipient_too():
    (fault,) = CHARTER.forbids_rule(rule(recipient="us-dhs-cbp"))
    assert fault.reason is Reason.CHARTER_FORBIDS_RECIPIENT


def test_a_line_that_nobody_wrote_down_is_the_first():
    charter = parse_charter(SPREAD.encode(), "charter.toml")
    assert (
        charter.line("forbidden_recipients"),
        charter.line("forbidden_recipients", "nobody"),
        charter.line("unheard-of", "x"),
    ) == (2, 2, 1)


def test_a_charter_that_is_no_toml_has_faults_and_no_value():
    document, charter = open_charter(b"name = ", "charter.toml")
    assert charter is None
    assert len(document.faults) == 1  # not also one for every key that could not be read


def test_a_thousand_names_and_no_more():
    def text(count):
        names = ", ".join(f'"r{number}"' for number in range(count))
        return TEXT.replace('"us-dhs-cbp"', names, 1)

    rest = len(CHARTER.forbidden_recipients) - 1
    assert (
        len(parse_charter(text(1000 - rest).encode(), "charter.toml").forbidden_recipients) == 1000
    )
    with pytest.raises(ConfigError, match="forbidden_recipients"):
        parse_charter(text(1001 - rest).encode(), "charter.toml")


def test_a_charter_that_names_no_address_for_complaints_has_none():
    lines = [line for line in TEXT.splitlines() if not line.startswith("complaints")]
    assert parse_charter("\n".join(lines).encode(), "charter.toml").complaints == ""


class TestAllowLists:
    """What a charter does not allow, no name that nobody thought of gets past."""

    RECIPIENTS = frozenset({"town-pd"})
    KINDS = frozenset({"local-law-enforcement"})
    PURPOSES = frozenset({"stolen-vehicle-recovery"})

    def reasons(self, changed, text):
        return [fault.reason for fault in replace(CHARTER, **changed).check(text)]

    def test_what_is_allowed_passes_and_no_list_limits_nothing(self):
        told = recipient(kind="local-law-enforcement")
        lawful = policy(rule(), recipients={"town-pd": told})
        assert CHARTER.check(lawful) == ()
        assert not self.reasons(
            {
                "allowed_recipients": self.RECIPIENTS,
                "allowed_kinds": self.KINDS,
                "allowed_purposes": self.PURPOSES,
            },
            lawful,
        )

    @pytest.mark.parametrize("listed", [frozenset({"other"}), frozenset()])
    def test_whatever_is_not_on_a_list_is_refused(self, listed):
        given = policy(rule(), recipients={"town-pd": recipient(kind="vendor")})
        charter = replace(CHARTER, forbidden_kinds=frozenset())
        for changed, reason, at_least in (
            ({"allowed_recipients": listed}, Reason.CHARTER_FORBIDS_RECIPIENT, 1),
            ({"allowed_kinds": listed}, Reason.CHARTER_FORBIDS_KIND, 1),
            ({"allowed_purposes": listed}, Reason.CHARTER_FORBIDS_PURPOSE, 1),
        ):
            found = [fault.reason for fault in replace(charter, **changed).check(given)]
            assert found.count(reason) >= at_least
            assert set(found) == {reason}

    def test_a_broker_serves_nobody_else_and_a_kind_must_be_told(self):
        served = policy(rule(), brokers=(broker("town-pd", "other-pd"),))
        assert self.reasons({"allowed_recipients": self.RECIPIENTS}, served)
        untold = policy(rule(), recipients={"town-pd": recipient(kind="")})
        charter = {"forbidden_kinds": frozenset(), "allowed_kinds": self.KINDS}
        assert self.reasons(charter, untold) == [Reason.CHARTER_FORBIDS_KIND]

    def test_an_unknown_purpose_names_its_nearest_forbidden_neighbour(self):
        charter = replace(CHARTER, allowed_purposes=self.PURPOSES)
        (fault,) = charter.check(policy(rule(purpose="immigration-enforcment")))
        assert 'near "immigration-enforcement", which is forbidden' in fault.what
        (fault,) = charter.check(policy(rule(purpose="parking")))
        assert fault.what.endswith('purpose "parking" is not allowed')

    @pytest.mark.parametrize(
        ("key", "given", "reason"),
        [
            ("recipients", {"recipient": "town-pd"}, Reason.CHARTER_FORBIDS_RECIPIENT),
            ("kinds", {"kind": "vendor"}, Reason.CHARTER_FORBIDS_KIND),
            ("purposes", {"purpose": "parking"}, Reason.CHARTER_FORBIDS_PURPOSE),
        ],
    )
    def test_what_is_not_allowed_names_the_line_of_its_list(self, key, given, reason):
        entry = "local-law-enforcement" if key == "kinds" else "other"
        text = TEXT.replace("max_retention", f'allowed_{key} = ["{entry}"]\nmax_retention', 1)
        text = text.replace("forbidden_kinds", "# forbidden_kinds")
        charter = parse_charter(text.encode(), "charter.toml")
        told = recipient(kind=given.pop("kind", "local-law-enforcement"))
        faults = charter.check(policy(rule(**given), recipients={"town-pd": told}))
        line = next(
            n for n, one in enumerate(text.splitlines(), 1) if one.startswith("allowed_" + key)
        )
        assert {(fault.reason, fault.line) for fault in faults} == {(reason, line)}

    def test_a_purpose_that_is_nearly_forbidden_is_named_where_no_list_settles_it(self):
        near, forbidden = "immigration-enforcment", "immigration-enforcement"
        assert CHARTER.nearly_forbidden(near) == forbidden
        assert CHARTER.nearly_forbidden("stolen-vehicle-recovery") is None
        # it is forbidden outright, and told so elsewhere
        assert CHARTER.nearly_forbidden(forbidden) is None
        for listed in (frozenset({near}), self.PURPOSES):
            assert replace(CHARTER, allowed_purposes=listed).nearly_forbidden(near) is None

    def test_at_most_32_kinds_are_listed(self):
        def listing(count):
            kinds = ", ".join(['"vendor"'] * count)
            return TEXT.replace("max_retention", f"allowed_kinds = [{kinds}]\nmax_retention", 1)

        parse_charter(listing(32).encode(), "charter.toml")
        with pytest.raises(ConfigError, match="allowed_kinds"):
            parse_charter(listing(33).encode(), "charter.toml")

    def test_the_lists_are_read_with_their_lines(self):
        text = TEXT.replace(
            'max_retention = "21d"',
            'max_retention = "21d"\nallowed_recipients = ["exampleville-pd"]\n'
            'allowed_kinds = ["local-law-enforcement"]\n'
            'allowed_purposes = ["missing-child-search"]',
        )
        charter = parse_charter(text.encode(), "charter.toml")
        assert charter.allowed_recipients == {"exampleville-pd"}
        assert charter.allowed_kinds == {"local-law-enforcement"}
        (fault,) = charter.check(policy(rule(recipient="exampleville-pd"), recipients={}))
        assert fault.line == next(
            number
            for number, line in enumerate(text.splitlines(), 1)
            if line.startswith("allowed_purposes")
        )
        assert CHARTER.allowed_purposes is None
        for wrong in ('["*"]', '"town-pd"', "[1]"):
            with pytest.raises(ConfigError, match="allowed_recipients"):
                parse_charter(
                    f"{TEXT}".replace(
                        "max_retention", f"allowed_recipients = {wrong}\nmax_retention", 1
                    ).encode(),
                    "charter.toml",
                )
