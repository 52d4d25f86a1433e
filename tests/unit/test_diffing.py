"""Diff: says in words what a new policy lets out that the old one did not, the worst first.

That it agrees with the decision over drawn policies is in tests/components/test_diff_agreement.py.
"""

import pytest

from agent.city.pages.diff_page import render
from agent.core.judging.diff.comparison import Kind
from agent.core.judging.diff.diff_words import compare
from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.policy.schema.policy_file import parse_policy
from tests.support.policy_texts import KEYS, ROSTER, files, toml
from tests.unit.test_explaining import BASE, CHARTER, PD, RULE, lawful


def told(**changes):
    return compare(lawful(), lawful(version=9, **changes))


def one(changes):
    (change,) = changes
    return change


@pytest.mark.parametrize(
    ("changed", "kind", "says", "line"),
    [
        (
            {"purpose": "search"},
            Kind.PURPOSE,
            "also receives for the purpose search",
            'purpose = "search"',
        ),
        (
            {"categories": ["stolen-vehicle", "amber-alert"]},
            Kind.CATEGORY,
            "also receives amber-alert",
            'categories = ["stolen-vehicle", "amber-alert"]',
        ),
        (
            {"match": ["exact", "text", "confusable"]},
            Kind.MATCH_LEVEL,
            "also receives confusable matches",
            'match = ["exact", "text", "confusable"]',
        ),
        (
            {"min_confidence": 0.5},
            Kind.CONFIDENCE,
            "less certain readings: from 0.5 instead of 0.9",
            "min_confidence = 0.5",
        ),
        ({"retention": "30d"}, Kind.RETENTION, "30 instead of 21 days", 'retention = "30d"'),
        (
            {"include": ["plate", "crop", "camera"]},
            Kind.CONTENT,
            "the camera of stolen-vehicle reads",
            'include = ["plate", "crop", "camera"]',
        ),
        ({"max_per_hour": 50}, Kind.BUDGET, "50 instead of 20 an hour", "max_per_hour = 50"),
    ],
)
def test_each_widening_of_a_rule_is_one_sentence_and_one_line(changed, kind, says, line):
    wider = told(release=[RULE | changed])
    change = one(wider.lets_out)
    assert (change.kind, [cited.text for cited in change.cited]) == (kind, [line])
    assert says in change.says
    assert wider.notes == ()
    assert {one.kind for one in wider.restricts} <= {Kind.PURPOSE}
    narrower = compare(lawful(version=1, release=[RULE | changed]), lawful())
    assert kind in {one.kind for one in narrower.restricts}


@pytest.mark.parametrize(
    ("new", "says"),
    [({"max_false_leads": 9}, "9 a camera instead of 3"), ({}, "no limit instead of 3 a camera")],
)
def test_more_false_leads_before_a_rule_stops_let_out_more(new, says):
    few = lawful(release=[RULE | {"max_false_leads": 3}])
    many = lawful(version=9, release=[RULE | new])
    change = one(compare(few, many).lets_out)
    assert change.kind is Kind.FALSE_LEADS
    assert says in change.says
    assert change.cited
    back = one(compare(many, few).restricts)
    assert (back.kind, "until fewer leads were false" in back.says) == (Kind.FALSE_LEADS, True)
    assert "instead of 3" not in back.says


def test_removing_one_recipient_changes_exactly_what_it_should():
    sheriff = RULE | {"rule": "county", "recipient": "county-sheriff"}
    both = lawful(release=[RULE, sheriff])
    without = lawful(
        version=9, recipient=[PD], broker=[BASE["broker"][0] | {"recipients": ["town-pd"]}]
    )
    less = compare(both, without)
    assert (less.lets_out, less.notes) == ((), ())
    gone = one(less.restricts)
    assert (gone.kind, gone.recipient) == (Kind.RECIPIENT, "county-sheriff")
    assert gone.says.startswith("County Sheriff (county-sheriff) receives nothing any more")
    assert [line.text for line in gone.cited] == [
        'id = "county-sheriff"',
        'recipient = "county-sheriff"',
    ]
    back = compare(without, lawful(version=10, release=[RULE, sheriff]))
    assert (one(back.lets_out).kind, back.restricts, back.notes) == (Kind.RECIPIENT, (), ())


def test_the_worst_comes_first():
    new = RULE | {"rule": "county", "recipient": "county-sheriff"}
    kinds = [
        change.kind
        for change in told(
            release=[
                RULE
                | {
                    "max_per_hour": 30,
                    "min_confidence": 0.5,
                    "match": ["exact", "text", "confusable"],
                },
                new,
            ]
        ).lets_out
    ]
    assert kinds == [Kind.RECIPIENT, Kind.MATCH_LEVEL, Kind.CONFIDENCE, Kind.BUDGET]


def test_a_later_end_lets_out_more_and_names_the_date_that_moved():
    change = one(
        told(recipient=[PD | {"expires": BASE["expires"]}, *BASE["recipient"][1:]]).lets_out
    )
    assert (change.kind, [line.text for line in change.cited]) == (
        Kind.DAYS,
        ["expires = 2027-05-01"],
    )
    assert "until 2027-05-01 instead of until 2027-02-01" in change.says


def test_another_key_is_another_reader():
    change = one(told(recipient=[PD | {"signing_key": KEYS[3]}, *BASE["recipient"][1:]]).lets_out)
    assert (change.kind, change.recipient) == (Kind.KEY, "town-pd")
    assert KEYS[3] not in change.says


def test_a_split_budget_that_adds_up_is_told():
    halves = [
        RULE | {"categories": ["stolen-vehicle"]},
        RULE | {"rule": "amber", "categories": ["amber-alert"]},
    ]
    whole = [RULE | {"categories": ["stolen-vehicle", "amber-alert"]}]
    change = one(compare(lawful(release=whole), lawful(version=9, release=halves)).lets_out)
    assert change.kind is Kind.BUDGET
    assert "40 instead of 20" in change.says


def test_a_bar_that_is_lifted_lets_out_more_and_its_old_line_is_named():
    bars = [
        {"cameras": ["cam-1"], "why": "works"},
        {"cameras": ["cam-2"], "hours": ["06:00-09:30Z"], "why": "council"},
    ]
    change = compare(lawful(roster=ROSTER, barred=bars), lawful(roster=ROSTER, version=9))
    assert [(one.kind, one.says.split("also ")[1]) for one in change.lets_out] == [
        (Kind.CAMERA, "receives from cam-1"),
        (Kind.HOURS, "receives from cam-2 at 06:00-09:30Z"),
    ]
    assert [[line.text for line in one.cited] for one in change.lets_out] == [
        ["[[barred]]"],
        ["[[barred]]"],
    ]
    assert (change.restricts, change.notes) == ((), ())
    assert [
        one.kind
        for one in compare(
            lawful(roster=ROSTER, version=1), lawful(roster=ROSTER, barred=bars)
        ).restricts
    ] == [Kind.CAMERA, Kind.HOURS]


def test_more_cameras_by_a_rule_or_by_the_roster():
    change = one(
        compare(
            lawful(roster=ROSTER, release=[RULE | {"cameras": ["cam-1"]}]),
            lawful(roster=ROSTER, version=9),
        ).lets_out
    )
    assert (change.kind, change.says.split("also ")[1]) == (
        Kind.CAMERA,
        "receives from cam-2 and cam-3",
    )
    smaller = ROSTER[: ROSTER.rindex(b"[[camera]]")]
    assert one(
        compare(lawful(roster=smaller), lawful(roster=ROSTER, version=9)).lets_out
    ).says.endswith("also receives from cam-3")


def test_a_charter_that_forbids_less_is_told():
    lax = (
        CHARTER.replace(b'    "vendor-cloud",\n', b"")
        .replace(b'"30d"', b'"60d"')
        .replace(b'"missing-person"', b'"missing-person", "parking"')
    )
    says = [change.says for change in compare(lawful(), lawful(charter=lax)).lets_out]
    assert sorted(says) == [
        "the charter no longer forbids keeping reads for more than 30 days",
        "the charter no longer forbids the category parking",
        "the charter no longer forbids the recipient vendor-cloud",
    ]
    assert (
        compare(lawful(charter=lax), lawful())
        .restricts[0]
        .says.startswith("the charter also forbids")
    )


def test_what_a_charter_allows_is_told_when_it_grows_or_goes():
    """A list that is gone allows everybody."""
    strict = CHARTER + (
        b'\nallowed_recipients = ["town-pd"]\nallowed_kinds = []\n'
        b'allowed_purposes = ["recovery", "missing-child-search"]\n'
    )
    wider = strict.replace(b'["town-pd"]', b'["town-pd", "other-pd"]')
    wider = wider.replace(b"allowed_kinds = []\n", b"")
    wide = compare(lawful(charter=strict), lawful(charter=wider))
    assert sorted(change.says for change in wide.lets_out) == [
        "the charter no longer forbids all recipients of a kind but none",
        "the charter no longer forbids the recipient other-pd",
    ]
    gone = compare(lawful(charter=strict), lawful())
    assert "the charter no longer forbids every recipient but town-pd" in {
        change.says for change in gone.lets_out
    }
    assert "the charter also forbids every purpose but missing-child-search, recovery" in {
        change.says for change in compare(lawful(), lawful(charter=strict)).restricts
    }


def test_staler_hot_lists_and_more_entries_by_hand_are_told():
    lax = toml(BASE | {"version": 9}).replace(
        b"[[release]]", b"[hotlist]\nmax_age_hours = 72\nadditions_per_day = 3\n\n[[release]]", 1
    )
    new = Files(parse_policy(lax, "new.toml"), Source(lax, "new.toml"))
    assert [change.says for change in compare(files(BASE), new).lets_out] == [
        "hot lists may be 72 hours old instead of 24",
        "3 plates a day may be added by hand instead of 0",
    ]
    assert [change.says for change in compare(new, files(BASE)).restricts] == [
        "hot lists may be 24 hours old instead of 72",
        "0 plates a day may be added by hand instead of 3",
    ]


HANDS = (
    b"[hotlist]\nmost_entries = 9\nadditions_per_day = 2\nlook_alikes = 3\nlongest_days = 5\n"
    b'case_forms = ["##"]\n'
    + b"".join(
        f'[[hotlist_signer]]\nname = "{name}"\nkey = "{key * 64}"\n'.encode()
        for name, key in (("Ada Ortiz", "a"), ("Ben Cho", "b"))
    )
)


def hands(old, new):
    """What a charter's change lets out and restricts, with the lines."""
    found = compare(lawful(CHARTER + old), lawful(CHARTER + new, version=9))
    assert all(change.kind is Kind.HOTLIST for change in (*found.lets_out, *found.restricts))
    assert all(change.cited for change in (*found.lets_out, *found.restricts))
    return [[change.says for change in side] for side in (found.lets_out, found.restricts)]


def test_a_second_hand_that_goes_is_told():
    more, less = hands(HANDS, HANDS[: HANDS.index(b"[[")])
    assert more == [
        (
            'one person alone may put a plate on the list; until now two of "Ada Ortiz" '
            '(key aaaaaaaaaaaaaaaa), "Ben Cho" (key bbbbbbbbbbbbbbbb) had to sign'
        )
    ]
    assert less == []
    assert hands(HANDS[: HANDS.index(b"[[")], HANDS) == [
        [],
        [
            (
                'two people must sign each entry by hand, of "Ada Ortiz" '
                '(key aaaaaaaaaaaaaaaa), "Ben Cho" (key bbbbbbbbbbbbbbbb)'
            )
        ],
    ]


def test_another_key_of_the_same_name_and_the_same_key_under_another_name_are_told():
    for old, new in ((b"b" * 64, b"c" * 64), (b"Ben Cho", b"Bea Cho")):
        more, less = hands(HANDS, HANDS.replace(old, new))
        assert [says[-26:] for says in more] == ["also signs entries by hand"]
        assert [says[-31:] for says in less] == ["no longer signs entries by hand"]


def test_each_limit_of_a_charter_on_lists_is_told_in_both_directions():
    wide = (
        HANDS.replace(b"= 9", b"= 90")
        .replace(b"= 2", b"= 20")
        .replace(b"= 3", b"= 30")
        .replace(b"= 5", b"= 15")
    )
    assert hands(HANDS, wide) == [
        [
            "the charter permits a hot list of 90 entries instead of 9",
            "the charter permits 20 additions by hand a day instead of 2",
            "30 entries of a list may be taken for one another instead of 3",
            "an entry by hand may last 15 days instead of 5",
        ],
        [],
    ]
    assert hands(wide, HANDS)[1][0] == "the charter permits a hot list of 9 entries instead of 90"
    unlimited = HANDS[HANDS.index(b"[[") :]
    assert len(hands(HANDS, unlimited)[0]) == 5
    assert len(hands(unlimited, HANDS)[1]) == 5


def test_each_form_of_a_case_number_is_told():
    other = HANDS.replace(b'["##"]', b'["##", "@@"]')
    assert hands(HANDS, other) == [['a case number may also have the form "@@"'], []]
    assert hands(other, HANDS) == [[], ['a case number may no longer have the form "@@"']]
    assert hands(HANDS, HANDS.replace(b'["##"]', b"[]")) == [
        ["an entry by hand may have a case number of any form"],
        [],
    ]


def test_a_page_names_who_signs_entries_by_hand():
    page = render(compare(lawful(CHARTER + HANDS), lawful(CHARTER + HANDS, version=9)))
    assert "Ada Ortiz" in page
    assert "aaaaaaaaaaaaaaaa" in page
    assert "At most 2 plates a day" in page
    gone = render(compare(lawful(CHARTER + HANDS), lawful(version=9)))
    assert "One person alone may put a plate on the list" in gone


def test_another_name_of_the_charter_is_told_since_signatures_cover_it():
    first, other = CHARTER + HANDS, CHARTER.replace(b'name = "', b'name = "New ') + HANDS
    (note,) = compare(lawful(first), lawful(other, version=9)).notes
    assert note.says.startswith("the charter's name: New ")
    assert note.says.endswith("; entries by hand must be signed again")
    (note,) = compare(lawful(first), lawful(b'complaints = "Town hall"\n' + first)).notes
    assert note.says.startswith("the charter's complaints: Town hall instead of")


def test_what_lets_out_nothing_is_still_told():
    renamed = told(release=[RULE | {"rule": "cars"}])
    assert (renamed.lets_out, renamed.restricts) == ((), ())
    assert "rule stolen is now called cars" in one(renamed.notes).says
    moved = told(
        broker=[BASE["broker"][0] | {"addresses": ["203.0.113.99:8883"], "host": "other.example"}]
    )
    assert [note.says for note in moved.notes] == [
        "broker hall: other host",
        "broker hall: other addresses",
    ]
    assert [note.says for note in compare(lawful(), lawful(name="Other")).notes] == [
        "name: Other instead of Town policy",
        (
            f"version {BASE['version']} is not higher than {BASE['version']}: "
            "a changed policy needs a new number"
        ),
    ]
    later = told(expires=BASE["expires"].replace(month=6))
    assert [note.says for note in later.notes] == ["expires: 2027-06-01 instead of 2027-05-01"], (
        "the recipient's own end comes first, so nothing more leaves"
    )


HOLDS = (
    b"[holds]\nsignatures = 2\nwindow_minutes = 60\nlongest_days = 30\n"
    + b'[[hold_signer]]\nname = "a"\nkey = "%s"\n' % (b"11" * 32)
    + b'[[hold_signer]]\nname = "b"\nkey = "%s"\n' % (b"22" * 32)
)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"", HOLDS, "keeping reads beyond their deadline by a hold"),
        (HOLDS, HOLDS.replace(b"= 60", b"= 90"), "holds of more than 60 minutes"),
        (HOLDS, HOLDS.replace(b"= 30", b"= 40"), "holds that last longer than 30 days"),
        (HOLDS, HOLDS.replace(b'"b"', b'"c"'), 'holds signed by "c" (key 2222222222222222)'),
    ],
)
def test_who_may_keep_reads_longer_is_told(old, new, says):
    wider = compare(lawful(CHARTER + old), lawful(CHARTER + new, version=9))
    assert [change.says for change in wider.lets_out] == [f"the charter no longer forbids {says}"]
    narrower = compare(lawful(CHARTER + new), lawful(CHARTER + old, version=9))
    assert f"the charter also forbids {says}" in [one.says for one in narrower.restricts]


def test_what_the_charter_forbids_is_told_first():
    broken = told(release=[RULE | {"retention": "90d"}])
    assert [fault.line for fault in broken.refused] == [
        CHARTER.decode().splitlines().index('max_retention = "30d"') + 1
    ]
    assert told().refused == ()


def test_rules_in_another_order_change_nothing():
    second = RULE | {"rule": "other", "categories": ["amber-alert"]}
    assert compare(
        lawful(release=[RULE, second]), lawful(version=9, release=[second, RULE])
    ).nothing
