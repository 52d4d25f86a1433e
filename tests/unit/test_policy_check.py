"""`policy check`: thirty policies with one fault each, each found at its line and column with why,
source and fix; ten lawful ones, no false alarm.
"""

import re
from datetime import date

import pytest

from agent.bundles.jurisdiction_files import shipped
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy.camera_roster import open_roster
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.toml_document import MAX_TEXT_BYTES
from agent.errors import ConfigError
from tests.support.judging import EXAMPLE

POLICY, CHARTER, ROSTER = (
    (EXAMPLE / f"{name}.toml").read_text(encoding="utf-8")
    for name in ("policy", "charter", "roster")
)
TODAY = date(2026, 11, 22)
PIN = "sha256/iXPPHRQLOpwpW4IYUSdSNOVpobfABohlIde0FATFIC4="
HSI = """
[[recipient]]
id = "us-dhs-hsi"
kind = "federal-agency"
legal_name = "Homeland Security Investigations"
basis = "a letter"
expires = 2027-05-01
signing_key = "8OymkVajAXVKHCRcDmTPVHD6GD5jpJ5rDA2NcPzy4k0"
"""
IDLE = (
    POLICY[POLICY.index("\n[[broker]]") : POLICY.index("\n[[barred]]")]
    .replace('"city-hall"', '"idle"')
    .replace('["exampleville-pd", "example-county-sheriff", "example-fusion-center"]', "[]")
)


def check(policy=POLICY, charter=CHARTER, roster=ROSTER, law="us-ca", today=TODAY):
    files = [
        File(text.encode() if isinstance(text, str) else text, name) if text is not None else None
        for text, name in ((charter, "charter.toml"), (roster, "roster.toml"))
    ]
    return check_policy(
        File(policy.encode() if isinstance(policy, str) else policy, "policy.toml"),
        Against(*files, shipped(law) if law else None, today),
    )


def place_of(text, words, after=""):
    """Line and column of the first `words` behind `after`."""
    at = text.index(words, text.index(after))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


# One fault each: (what is written, instead of what, what to look for in the changed text, code,
# words of the finding)
FAULTS = {
    "unknown key": (
        "version = 7",
        "version = 7\nsend_to_all = true",
        "send_to_all",
        "malformed",
        "unknown key",
    ),
    "unknown key in a rule": (
        "max_per_hour = 20 ",
        "max_per_day = 9\nmax_per_hour = 20 ",
        "max_per_day",
        "malformed",
        "unknown key",
    ),
    "wrong type": ("version = 7", 'version = "7"', '"7"', "malformed", "must be a whole number"),
    "wildcard recipient": (
        'recipient = "exampleville-pd"',
        'recipient = "*"',
        '"*"',
        "malformed",
        "wildcards",
    ),
    "duplicate rule": (
        'rule = "amber-to-county"',
        'rule = "stolen-and-amber"',
        (
            '"stolen-and-amber"',
            '[[release]]\nrule = "stolen-and-amber"\ncategories = ["amber-alert"]',
        ),
        "malformed",
        "there twice",
    ),
    "duplicate recipient": (
        "\n[[broker]]",
        HSI.replace("us-dhs-hsi", "exampleville-pd").replace("federal-agency", "local-agency")
        + "\n[[broker]]",
        ('"exampleville-pd"', "section 6"),
        "malformed",
        "there twice",
    ),
    "release to an unlisted recipient": (
        'recipient = "exampleville-pd"',
        'recipient = "nearby-pd"',
        '"nearby-pd"',
        "malformed",
        "not a [[recipient]]",
    ),
    "broker that serves nobody": (
        "\n[[barred]]",
        f"{IDLE}\n[[barred]]",
        ("[]", "recipients = []"),
        "malformed",
        "must have from 1 to 64 entries",
    ),
    "broker for an unlisted recipient": (
        'recipients = ["exampleville-pd", ',
        'recipients = ["nearby-pd", "exampleville-pd", ',
        '"nearby-pd"',
        "malformed",
        "not a [[recipient]]",
    ),
    "recipient that no broker serves": (
        ', "example-fusion-center"]',
        "]",
        ('"example-fusion-center"', "[[recipient]]"),
        "malformed",
        "no [[broker]] serves",
    ),
    "retention under two days": (
        'retention = "7d"',
        'retention = "1d"',
        '"1d"',
        "malformed",
        "at least 2d",
    ),
    "retention over the charter": (
        'retention = "21d"',
        'retention = "22d"',
        '"22d"',
        "charter-retention",
        "longer than the charter's 21",
    ),
    "dates crossed": (
        "expires = 2027-05-01  ",
        "expires = 2026-10-01  ",
        "2026-10-01",
        "malformed",
        "dates crossed",
    ),
    "recipient ends before the policy begins": (
        "expires = 2027-02-01  ",
        "expires = 2026-10-01  ",
        "2026-10-01",
        "malformed",
        "before the policy takes effect",
    ),
    "look-alike letter in an id": (
        'recipient = "exampleville-pd"',
        'recipient = "ex\u0430mpleville-pd"',
        '"ex\u0430mple',
        "malformed",
        r"ex\u0430mpleville-pd",
    ),
    "category never-release": (
        '["amber-alert"]',
        '["amber-alert", "never-release"]',
        '"never-release"',
        "malformed",
        "never be released",
    ),
    "category the charter does not allow": (
        '["amber-alert"]',
        '["amber-alert", "parking"]',
        '"parking"',
        "charter-forbids-category",
        "not a category",
    ),
    "recipient the charter forbids": (
        "example-fusion-center",
        "vendor-cloud",
        ('"vendor-cloud"', "[[recipient]]"),
        "charter-forbids-recipient",
        "by name",
    ),
    "kind the charter forbids": (
        'kind = "joint-center"',
        'kind = "foreign-agency"',
        '"foreign-agency"',
        "charter-forbids-kind",
        "of kind",
    ),
    "kind not told": (
        'kind = "joint-center"\n',
        "",
        ("[[recipient]]", "[[recipient]]                          # listed"),
        "charter-forbids-kind",
        "does not tell",
    ),
    "purpose the charter forbids": (
        '"missing-child-search"',
        '"traffic-fines"',
        '"traffic-fines"',
        "charter-forbids-purpose",
        "charter forbids",
    ),
    "kind the law forbids": (
        'kind = "joint-center"',
        'kind = "federal-agency"',
        '"federal-agency"',
        "jurisdiction-forbids-recipient",
        "in California",
    ),
    "purpose the law forbids": (
        '"missing-child-search"',
        '"immigration-enforcement"',
        '"immigration-enforcement"',
        "jurisdiction-forbids-purpose",
        "in California",
    ),
    "camera that nobody has": (
        '"county-road-9"',
        '"county-road-8"',
        '"county-road-8"',
        "camera-not-in-roster",
        "not in the roster",
    ),
    "barred camera that nobody has": (
        'cameras = ["town-hall-1"]',
        'cameras = ["town-hall-2"]',
        '"town-hall-2"',
        "camera-not-in-roster",
        "not in the roster",
    ),
    "bar that bars nothing": (
        'cameras = ["town-hall-1"]\nhours = ["02:00-06:00Z"]\n',
        "",
        "[[barred]]",
        "malformed",
        "bars nothing",
    ),
    "hours that are none": (
        '"02:00-06:00Z"',
        '"2am-6am"',
        '"2am-6am"',
        "malformed",
        "22:00-06:00Z",
    ),
    "host name where an address belongs": (
        '"203.0.113.10:8883"',
        '"mqtt.example:8883"',
        '"mqtt.example:8883"',
        "malformed",
        "resolves no names",
    ),
    "pin cut short": (PIN, PIN[:-4], f'"{PIN[:-4]}"', "malformed", "44 characters"),
    "quotes that do not end": (
        'basis = "Ordinance 2026-14"',
        'basis = "Ordinance 2026-14',
        '"Ordinance 2026-14\n',
        "malformed",
        "quotes",
    ),
    "a key twice": (
        "version = 7",
        "version = 7\nversion = 8",
        None,
        "malformed",
        "a key is there twice",
    ),
    "a byte-order mark": (
        "# A worked",
        "\ufeff# A worked",
        "\ufeff",
        "malformed",
        "byte-order mark",
    ),
}


def test_there_are_thirty():
    assert len(FAULTS) >= 30


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_found_at_its_line_and_column(name):
    old, new, words, code, told = FAULTS[name]
    assert POLICY.count(old) >= 1
    text = POLICY.replace(old, new, -1 if old == "example-fusion-center" else 1)
    faults = check(text).faults
    found = next(
        (fault for fault in faults if fault.code == code and told in f"{fault.what} {fault.fix}"),
        None,
    )
    assert found, faults
    # nothing else is told but what the charter and the law say of the same line, or the same of
    # another line
    assert all(
        fault.line == found.line or (fault.code, fault.what) == (found.code, found.what)
        for fault in faults
    ), faults
    if words:
        words, after = words if isinstance(words, tuple) else (words, "")
        assert (found.line, found.column) == place_of(text, words, after)
    else:
        assert found.line == POLICY.count("\n", 0, POLICY.index(old)) + 1 + (new.count("\n"))
    assert found.where == "policy.toml"
    assert all((found.why, found.source, found.fix)), found


def changed(*pairs, text=POLICY):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


LAWFUL = {
    "the example": {},
    "CRLF": {"policy": POLICY.replace("\n", "\r\n"), "charter": CHARTER.replace("\n", "\r\n")},
    "no rule at all": {"policy": re.sub(r"(?s)\[\[release\]\].*?(?=\[\[recipient)", "", POLICY)},
    "inline tables and literal strings": {
        "policy": changed(
            ("[hotlist]\nmax_age_hours = 24", "[hotlist]\n'max_age_hours' = 0x18"), ('"7d"', "'7d'")
        )
    },
    "shortest retention": {"policy": changed(('"21d"', '"2d"'), ('"7d"', '"2d"'))},
    "Montana's purposes": {
        "policy": changed(
            ('"US-CA"', '"US-MT"'), ('"missing-child-search"', '"missing-person-search"')
        ),
        "law": "us-mt",
    },
    "Washington, where the places are barred": {
        "policy": changed(('"US-CA"', '"US-WA"'), ("joint-center", "state-law-enforcement")),
        "charter": changed(
            ('hours = ["14:30-16:30Z", "21:30-23:30Z"]', ""),
            ('"food-bank"', '"food-bank", "court"'),
            text=CHARTER,
        ),
        "law": "us-wa",
    },
    "New Hampshire, on vehicles": {
        "policy": re.sub(
            r"(?s)\[\[release\]\].*?(?=\[\[recipient)", "", changed(('"US-CA"', '"US-NH"'))
        ),
        "roster": ROSTER.replace('"fixed"', '"vehicle"'),
        "law": "us-nh",
    },
    "no law to hold it against": {"policy": changed(('"US-CA"', '"FR"')), "law": None},
    "facts too thin": {"policy": changed(('"US-CA"', '"DE"')), "law": "de"},
    "without charter and roster": {"charter": None, "roster": None},
    "a line of 120 letters that are not ASCII": {
        "policy": changed(
            ('legal_name = "Example County Sheriff\'s Office"', f'legal_name = "{"é" * 120}"')
        )
    },
}


def test_there_are_ten():
    assert len(LAWFUL) >= 10


@pytest.mark.parametrize("name", LAWFUL)
def test_a_lawful_policy_raises_no_alarm(name):
    assert check(**LAWFUL[name]).faults == ()


def test_every_fault_is_told_at_once_across_files_in_order():
    policy = changed(
        ("version = 7", "version = 0"),
        ('retention = "7d"', 'retention = "60d"'),
        ('"missing-child-search"', '"immigration-enforcement"'),
    )
    checked = check(
        policy,
        charter=CHARTER.replace('"school"', '"schule"'),
        roster=ROSTER.replace('"health-care"', '"hospital"'),
        law="us-or",
    )
    told = [(fault.where, fault.field, fault.code) for fault in checked.faults]
    # a charter that is malformed cannot be held against the policy: its own fault says so
    assert told == [
        ("charter.toml", "barred.places", "malformed"),
        ("policy.toml", "version", "malformed"),
        ("policy.toml", "release.purpose", "jurisdiction-forbids-purpose"),
        ("policy.toml", "release.retention", "jurisdiction-retention"),
        ("roster.toml", "camera.near", "malformed"),
    ]
    assert checked.malformed


@pytest.mark.parametrize(
    ("law", "changes", "code", "field"),
    [
        ("us-nh", {}, "jurisdiction-forbids-camera", "camera.mount"),
        ("us-wa", {}, "jurisdiction-forbids-camera", "camera.near"),
        ("us-wa", {"roster": None}, "jurisdiction-forbids-camera", "jurisdiction"),
        (
            "us-ar",
            {"policy": changed(("max_age_hours = 24", "max_age_hours = 48"))},
            "jurisdiction-hotlist-age",
            "hotlist.max_age_hours",
        ),
        ("us-mt", {}, "jurisdiction-forbids-purpose", "release.purpose"),
        (
            "us-va",
            {"charter": None, "policy": changed(('"21d"', '"22d"'))},
            "jurisdiction-retention",
            "release.retention",
        ),
        (
            "us-ca",
            {"policy": changed(('kind = "joint-center"\n', "")), "charter": None},
            "jurisdiction-forbids-recipient",
            "recipient.kind",
        ),
    ],
)
def test_the_law_speaks_with_its_citation_and_how_sure_it_is(law, changes, code, field):
    profile = shipped(law)
    policy = changes.get("policy", POLICY).replace('"US-CA"', f'"{profile.id}"')
    if law == "us-mt":
        policy = policy.replace('"missing-child-search"', '"a-hunch"')
    found = [
        fault
        for fault in check(**changes | {"policy": policy}, law=law).faults
        if fault.code == code and fault.field == field
    ]
    assert found
    for fault in found:
        fact = next(fact for fact in profile.facts if fact.says == fault.why)
        assert fact.citation in fault.source
        assert f"{profile.where}:{fact.line}" in fault.source
        assert "read 2026-11-22" in fault.source
        assert fault.confirmed is fact.confirmed
        assert ("not confirmed" in fault.source) is not fact.confirmed


def test_a_federal_unit_that_the_charter_leaves_open_is_closed_by_the_law():
    policy = POLICY.replace("\n[[broker]]", HSI + "\n[[broker]]").replace(
        '"example-fusion-center"]', '"example-fusion-center", "us-dhs-hsi"]'
    )
    (fault,) = check(policy).faults
    assert (fault.code, fault.field) == ("jurisdiction-forbids-recipient", "recipient.kind")
    faults = check(policy.replace("us-dhs-hsi", "us-dhs-ice-ero")).faults
    assert {fault.code for fault in faults} == {
        "charter-forbids-recipient",
        "jurisdiction-forbids-recipient",
    }


def test_the_check_of_a_camera_and_this_one_refuse_the_same_policies():
    charter = parse_charter(CHARTER.encode(), "charter.toml")
    for old, new, _, _, _ in FAULTS.values():
        text = POLICY.replace(old, new, 1)
        try:
            policy = parse_policy(text.encode(), "policy.toml")
        except ConfigError:
            assert check(text, law=None).malformed
            continue
        codes = {
            fault.code
            for fault in check(text, law=None).faults
            if fault.code.startswith("charter-")
        }
        assert codes == {fault.reason for fault in charter.check(policy)}


def test_notes_are_no_faults():
    checked = check(charter=None, roster=None, law=None, today=date(2027, 5, 1))
    assert checked.faults == ()
    assert {note.field for note in checked.notes} == {"", "jurisdiction", "expires"}
    (barred,) = check().notes
    assert (barred.where, barred.code) == ("roster.toml", "camera-barred")
    assert "clinic-road-1" in barred.what
    assert "profile of" in " ".join(
        note.what for note in check(law="de").notes
    ) or "too thin" in " ".join(note.what for note in check(law="de").notes)
    assert any("not what the policy names" in note.what for note in check(law="us-ga").notes)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xff\xfe",
        b"[" * 5_000,
        b"a = " + b"9" * 9_000,
        b"release = [1, [2]]",
        b"[[barred]]\n" * 900,
        b"barred = 3\nhotlist = []\ncamera = 1",
        b"\x00",
        b"a" * (MAX_TEXT_BYTES + 1),
    ],
)
def test_hostile_bytes_end_in_findings(hostile):
    for checked in (check(hostile), check(charter=hostile), check(roster=hostile)):
        assert checked.malformed
        assert all(fault.what for fault in checked.faults)


def test_a_malformed_roster_is_told_and_what_is_right_in_it_is_used():
    document, roster = open_roster(
        ROSTER.replace('id = "county-road-9"', 'id = "COUNTY"').encode(), "roster.toml"
    )
    assert len(document.faults) == 1
    assert "harbour-bridge-1" in roster.cameras
    assert {
        fault.field
        for fault in check(
            roster=ROSTER.replace('id = "county-road-9"', 'id = "harbour-bridge-1"')
        ).faults
    } == {"camera.id", "release.cameras"}
