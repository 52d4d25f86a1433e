"""Explain: who could receive what; every line that refuses everybody else; and never another answer
than the camera's own.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from agent.city.pages import explain_page, explain_text
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.judging.explain.explanation import Question, hours, verdict
from agent.core.judging.explain.prohibitions import prohibitions
from agent.core.policy.charter import parse_charter
from agent.core.policy.decide import decide
from agent.core.policy.policy import Circumstances, Match
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.core.wire.match_level import MatchLevel
from tests.support.policy_texts import (
    CAMERAS,
    CATEGORIES,
    DAY,
    HALL,
    NAMES,
    PURPOSES,
    ROSTER,
    Draw,
    files,
    toml,
)

CHARTER = b"""\
name = "Town charter"
forbidden_recipients = [
    "us-dhs-ice-ero",  # Immigration and Customs Enforcement
    "vendor-cloud",
]
forbidden_purposes = ["immigration-enforcement"]
allowed_categories = ["stolen-vehicle", "amber-alert", "missing-person"]
max_retention = "30d"
"""
RULE = {
    "rule": "stolen",
    "categories": ["stolen-vehicle"],
    "match": ["exact", "text"],
    "min_confidence": 0.9,
    "max_per_hour": 20,
    "recipient": "town-pd",
    "purpose": "recovery",
    "retention": "21d",
    "include": ["plate", "crop"],
}
BASE = Draw(1).policy() | {
    "release": [RULE],
    "barred": [],
    "effective": date(2026, 11, 1),
    "expires": date(2027, 5, 1),
}
PD = BASE["recipient"][0] | {
    "id": "town-pd",
    "legal_name": "Town Police",
    "expires": date(2027, 2, 1),
}
SHERIFF = PD | {"id": "county-sheriff", "legal_name": "County Sheriff"}
BASE |= {
    "recipient": [PD, SHERIFF],
    "broker": [HALL | {"recipients": ["town-pd", "county-sheriff"]}],
}


def lawful(charter=CHARTER, roster=b"", **changes):
    return files(BASE | changes, charter=charter, roster=roster)


def ask(recipient, asked=None, *, purpose="", on=DAY):
    (answer,) = explain(asked or lawful(), on, recipient=recipient, purpose=purpose).answers
    return answer


def reasons(answer):
    return [obstacle.reason for obstacle in answer.obstacles]


# --- never another answer than the camera's ---


BARS = b"""
[[barred]]
places = ["health-care"]
why = "not at the clinic"

[[barred]]
places = ["school"]
hours = ["14:30-16:30Z"]
why = "not at the school gate"
"""


@pytest.mark.parametrize("seed", range(8))
def test_explain_says_what_decide_does(seed):
    """2,400 questions in all: what the grants say, what `verdict` says, and what the camera's
    `decide` does agree.
    """
    draw = Draw(seed)
    released = 0
    for _ in range(10):
        made = files(draw.policy(), charter=CHARTER + draw.choice([b"", BARS]), roster=ROSTER)
        obeyed, told = made.obeyed, explain(made, DAY)
        for _ in range(30):
            minute = draw.randrange(24 * 60)
            at = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(minutes=minute)
            recipient = draw.choice(NAMES)
            purpose = draw.choice(PURPOSES)
            camera = draw.choice(CAMERAS)
            category, level = draw.choice(CATEGORIES), draw.choice(list(MatchLevel))
            decision = decide(
                obeyed,
                Circumstances(Instant(at), camera, 1.0),
                Match(category, level, "Town PD", "C-1", DAY),
                {},
            )
            truth = [
                one.rule
                for one in decision.releases
                if (one.recipient, one.purpose) == (recipient, purpose)
            ]
            granted = [
                grant.rule
                for grant in told.grants
                if (grant.recipient, grant.purpose) == (recipient, purpose)
                and category in grant.categories
                and level in grant.levels
                and any(start <= minute < end for start, end in dict(grant.times).get(camera, ()))
            ]
            assert granted == truth
            question = Question(recipient, purpose, camera, category, level, at)
            assert list(verdict(obeyed, made.charter, question).rules) == truth
            released += bool(truth)
    assert released > 3, "cases that release nothing would prove little"


@pytest.mark.parametrize("seed", range(8))
def test_whoever_gets_nothing_is_told_at_least_one_line_that_refuses(seed):
    made = files(Draw(seed).policy())
    for answer in explain(made, DAY).answers:
        assert answer.allowed or (
            answer.obstacles and all(obstacle.cited for obstacle in answer.obstacles)
        )


# --- who may, and on what it rests ---


def test_when_a_rule_stops_by_itself_is_told():
    made = files(BASE | {"release": [RULE | {"max_false_leads": 3}]})
    told = explain(made, DAY)
    (grant,) = told.grants
    assert grant.max_false_leads == 3
    says = "stops at a camera by itself when 3 of its leads in 30 days were reported false"
    assert says in " ".join(" ".join(explain_text._grant(grant, told)).split())
    assert says in explain_page._grant(grant, told)
    without = explain(files(BASE), DAY)
    assert "by itself" not in " ".join(explain_text._grant(without.grants[0], without))


def test_who_may_receive_is_told_with_the_lines_that_allow_it():
    answer = ask("town-pd")
    (grant,) = answer.grants
    assert (
        answer.legal_name,
        grant.rule,
        grant.purpose,
        grant.retention_days,
        grant.max_per_hour,
    ) == ("Town Police", "stolen", "recovery", 21, 20)
    assert (grant.categories, grant.levels, grant.include) == (
        ("stolen-vehicle",),
        (MatchLevel.EXACT, MatchLevel.TEXT),
        ("plate", "crop"),
    )
    assert (grant.since, grant.until, grant.brokers) == (
        date(2026, 11, 1),
        date(2027, 2, 1),
        ("hall",),
    )
    text = lawful().policy_lines
    assert [line.text for line in answer.cited][:2] == [
        'rule = "stolen"',
        'categories = ["stolen-vehicle"]',
    ]
    assert 'recipients = ["town-pd", "county-sheriff"]' in [line.text for line in answer.cited]
    assert all(text.cite_at(line.line) == line for line in answer.cited)
    assert set(reasons(answer)) == {Reason.CATEGORY_NOT_RELEASED, Reason.MATCH_LEVEL_NOT_RELEASED}


def test_the_charters_sentence_refuses_first_and_every_other_line_is_named_too():
    answer = ask("us-dhs-ice-ero")
    assert not answer.allowed
    assert reasons(answer) == [
        Reason.CHARTER_FORBIDS_RECIPIENT,
        Reason.RECIPIENT_NOT_IN_POLICY,
        Reason.RULE_NOT_IN_POLICY,
        Reason.NO_BROKER_FOR_RECIPIENT,
    ]
    (line,) = answer.obstacles[0].cited
    assert (line.place, line.text, line.comment) == (
        "charter.toml:3",
        '"us-dhs-ice-ero"',
        "Immigration and Customs Enforcement",
    )
    assert [one.text for one in answer.obstacles[1].cited] == [
        'id = "town-pd"',
        'id = "county-sheriff"',
    ]


def test_a_unit_that_the_charter_does_not_name_is_refused_by_default():
    assert reasons(ask("us-dhs-hsi")) == [
        Reason.RECIPIENT_NOT_IN_POLICY,
        Reason.RULE_NOT_IN_POLICY,
        Reason.NO_BROKER_FOR_RECIPIENT,
    ]


def test_a_listed_recipient_without_a_rule_gets_nothing():
    answer = ask("county-sheriff")
    assert (answer.allowed, answer.legal_name, reasons(answer)) == (
        False,
        "County Sheriff",
        [Reason.RULE_NOT_IN_POLICY],
    )


@pytest.mark.parametrize(
    ("on", "reason"),
    [
        (date(2027, 2, 1), Reason.RECIPIENT_EXPIRED),
        (date(2027, 6, 1), Reason.POLICY_NOT_IN_FORCE),
        (date(2026, 10, 1), Reason.POLICY_NOT_IN_FORCE),
    ],
)
def test_the_day_decides(on, reason):
    answer = ask("town-pd", on=on)
    assert (answer.allowed, reasons(answer)) == (False, [reason])
    assert all(
        "expires" in line.text or "effective" in line.text for line in answer.obstacles[0].cited
    )


def test_a_purpose_can_be_asked_about():
    assert ask("town-pd", purpose="recovery").allowed
    assert reasons(ask("town-pd", purpose="traffic-fines")) == [Reason.PURPOSE_NOT_IN_POLICY]
    forbidden = ask("town-pd", purpose="immigration-enforcement")
    assert reasons(forbidden) == [Reason.CHARTER_FORBIDS_PURPOSE, Reason.PURPOSE_NOT_IN_POLICY]
    assert forbidden.obstacles[0].cited[0].place == "charter.toml:6"


def test_whoever_is_not_allowed_is_refused_with_the_line_of_the_list():
    allows = CHARTER + b'\nallowed_recipients = ["other-pd"]\nallowed_purposes = ["recovery"]\n'
    answer = ask("town-pd", lawful(charter=allows), purpose="parking")
    assert reasons(answer)[:2] == [
        Reason.CHARTER_FORBIDS_RECIPIENT,
        Reason.CHARTER_FORBIDS_PURPOSE,
    ]
    assert "allows others only" in answer.obstacles[0].says
    assert "does not allow the purpose" in answer.obstacles[1].says
    assert [one.cited[0].text.split(" ")[0] for one in answer.obstacles[:2]] == [
        "allowed_recipients",
        "allowed_purposes",
    ]
    assert not any('whole: recipient "town-pd"' in one.says for one in answer.obstacles)
    told = prohibitions(parse_charter(allows, "charter.toml"), Source(allows, "charter.toml"))
    assert 'readings may go only to "other-pd"' in {one.says for one in told}
    assert 'readings may be used only for "recovery"' in {one.says for one in told}


def test_a_policy_that_its_charter_forbids_gives_nobody_anything():
    broken = lawful(release=[RULE, RULE | {"rule": "long", "retention": "90d"}])
    told = explain(broken, DAY)
    assert (told.asked, told.grants) == (0, ())
    assert reasons(ask("town-pd", broken)) == [Reason.CHARTER_RETENTION]
    assert ask("town-pd", broken).obstacles[0].cited[0].place == "charter.toml:8"


def test_everybody_who_is_named_anywhere_is_answered_for_those_who_may_first():
    told = explain(lawful(), DAY)
    assert [answer.recipient for answer in told.answers] == [
        "town-pd",
        "county-sheriff",
        "us-dhs-ice-ero",
        "vendor-cloud",
    ]
    assert told.default.reason is Reason.RECIPIENT_NOT_IN_POLICY


def test_cameras_and_hours_that_are_barred_are_named_with_the_line_that_bars():
    asked = lawful(charter=CHARTER + BARS, roster=ROSTER)
    answer = ask("town-pd", asked)
    (grant,) = answer.grants
    assert dict(grant.times) == {
        "cam-1": ((0, 870), (870, 990), (990, 1440)),
        "cam-2": ((0, 870), (990, 1440)),
    }
    bars = [
        obstacle
        for obstacle in answer.obstacles
        if obstacle.reason in {Reason.CAMERA_BARRED, Reason.HOURS_BARRED}
    ]
    assert [obstacle.says for obstacle in bars] == [
        "nothing leaves from cam-3 at all hours: not at the clinic",
        "nothing leaves from cam-2 at 14:30-16:30Z: not at the school gate",
    ]
    assert [obstacle.cited[0].place for obstacle in bars] == ["charter.toml:10", "charter.toml:14"]


def test_without_a_roster_a_bar_on_places_bars_everywhere():
    answer = ask("town-pd", lawful(charter=CHARTER + BARS))
    assert not answer.allowed
    assert "no roster says which are near" in answer.obstacles[0].says


def test_a_rule_for_certain_cameras_says_so():
    answer = ask("town-pd", lawful(roster=ROSTER, release=[RULE | {"cameras": ["cam-1"]}]))
    assert answer.grants[0].cameras == ("cam-1",)
    assert Reason.CAMERA_NOT_RELEASED in reasons(answer)
    assert 'cameras = ["cam-1"]' in [line.text for line in answer.cited]


def test_without_a_charter_the_policy_alone_answers():
    told = explain(Files(parse_policy(SOURCE, "p.toml"), Source(SOURCE, "p.toml")), DAY)
    assert [answer.recipient for answer in told.answers if answer.allowed] == ["town-pd"]


SOURCE = toml(BASE)


# --- small parts ---


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([(0, 1440)], "all day"),
        ([(0, 90), (90, 1440)], "all day"),
        ([(0, 360), (1320, 1440)], "00:00-06:00Z, 22:00-24:00Z"),
        ([(5, 10), (10, 20)], "00:05-00:20Z"),
        ([], ""),
    ],
)
def test_hours_in_words(parts, told):
    assert hours(parts) == told


def test_a_line_is_quoted_without_its_comment_and_a_hash_in_quotes_is_none():
    source = Source(b'name = "a # b"   # said\n  list = [\n   "x",  # who\n "y"]\n', "f.toml")
    assert (source.cite("name").text, source.cite("name").comment) == ('name = "a # b"', "said")
    assert (source.cite_item("list", "x").place, source.cite_item("list", "x").comment) == (
        "f.toml:3",
        "who",
    )
    assert source.cite_item("list", "z").line == 2
    assert source.whole("nothing").place == "f.toml"
