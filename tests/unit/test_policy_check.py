"""`policy check`: thirty policies with one fault each, each found at its line and column with why,
source and fix; ten lawful ones, no false alarm.
"""

from datetime import date

import pytest

from agent.bundles.jurisdiction_files import shipped
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy.camera_roster import open_roster
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.toml_document import MAX_TEXT_BYTES
from agent.errors import ConfigError
from tests.support.policy_faults import CHARTER, FAULTS, HSI, LAWFUL, POLICY, ROSTER, changed

TODAY = date(2026, 11, 22)


def check(policy=POLICY, charter=CHARTER, roster=ROSTER, law="us-ca", today=TODAY, others=()):
    files = [
        File(text.encode() if isinstance(text, str) else text, name) if text is not None else None
        for text, name in ((charter, "charter.toml"), (roster, "roster.toml"))
    ]
    return check_policy(
        File(policy.encode() if isinstance(policy, str) else policy, "policy.toml"),
        Against(*files, shipped(law) if law else None, today, frozenset(others)),
    )


def place_of(text, words, after=""):
    """Line and column of the first `words` behind `after`."""
    at = text.index(words, text.index(after))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


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
    # Nothing else is told but what the charter and the law say of the same line, or the same of
    # another line.
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


def test_there_are_ten():
    assert len(LAWFUL) >= 10


@pytest.mark.parametrize("name", LAWFUL)
def test_a_lawful_policy_raises_no_alarm(name):
    assert check(**LAWFUL[name]).faults == ()


def test_more_additions_by_hand_than_the_charter_permits_are_a_fault_at_their_line():
    charter = CHARTER + "\n[hotlist]\nadditions_per_day = 2\n"
    (fault,) = check(charter=charter).faults
    assert (fault.field, fault.code) == ("hotlist.additions_per_day", "charter-hotlist-limit")
    assert (fault.line, fault.column) == place_of(POLICY, "3", "additions_per_day")
    line, column = place_of(charter, "2", "[hotlist]\nadditions_per_day")
    assert f"charter.toml:{line}:{column}" in fault.source
    assert check(charter=charter.replace("= 2\n", "= 3\n")).faults == ()


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
    # A charter that is malformed cannot be held against the policy: its own fault says so.
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
        assert f"read {fact.read}" in fault.source
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
    alone, barred = check().notes
    assert (alone.where, alone.field) == ("charter.toml", "")
    assert "one person alone can put a plate on the list by hand" in alone.what
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


ALLOWS = """
allowed_recipients = ["exampleville-pd", "example-county-sheriff"]
allowed_kinds = ["local-law-enforcement"]
allowed_purposes = ["stolen-vehicle-recovery"]
"""


def test_what_the_charter_does_not_allow_is_told_at_its_line():
    """The camera refuses the same: `core.policy.charter.require`."""
    charter = CHARTER.replace('max_retention = "21d"', f'max_retention = "21d"{ALLOWS}')
    text = POLICY.replace('"missing-child-search"', '"immigration-enforcment"')
    found = {fault.field: fault for fault in check(text, charter).faults}
    assert set(found) == {"recipient.id", "recipient.kind", "broker.recipients", "release.purpose"}
    assert found["recipient.id"].line == place_of(text, 'id = "example-fusion-center"')[0]
    assert "one of: example-county-sheriff, exampleville-pd" in found["recipient.id"].fix
    assert "does not allow recipients of kind 'joint-center'" in found["recipient.kind"].what
    assert 'near "immigration-enforcement", which is forbidden' in found["release.purpose"].what
    assert "charter.toml:" in found["release.purpose"].source


def test_a_purpose_that_is_nearly_a_forbidden_one_needs_a_word_of_a_person():
    text = POLICY.replace('"missing-child-search"', '"immigration-enforcment"')
    (fault,) = check(text).faults
    assert (fault.code, fault.field) == ("purpose-near-forbidden", "release.purpose")
    assert fault.line == place_of(text, "immigration-enforcment")[0]
    assert 'is near "immigration-enforcement", which the charter forbids' in fault.what
    assert "--other-purpose NAME" in fault.fix
    assert check(text, others={"immigration-enforcement"}).faults == (fault,), "by its own name"
    confirmed = check(text, others={"immigration-enforcment"})
    assert not confirmed.faults
    (note,) = [note for note in confirmed.notes if note.field == "release.purpose"]
    assert note.what == fault.what


def test_a_charter_that_names_two_hands_is_not_remarked_on():
    hands = "".join(
        f'[[hotlist_signer]]\nname = "{name}"\nkey = "{key * 32}"\n'
        for name, key in (("Ida Moss", "0a"), ("Jon Wren", "0b"))
    )
    assert [note.where for note in check(charter=f"{CHARTER}\n{hands}").notes] == ["roster.toml"]
