"""What changed in 2026 is held against a policy: Florida's roads, Virginia's approval, Iowa's 30
days; and where nothing is held, the answer says so.
"""

from datetime import date

import pytest

from agent.bundles import jurisdiction_files
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy.jurisdiction import parse_profile
from tests.support.judging import EXAMPLE

TODAY = date(2026, 11, 29)
POLICY = (EXAMPLE / "policy.toml").read_bytes()
ROSTER = b"""city = "Anytown"
[[camera]]
id = "main-street-2"
stands = "Main Street"
near = []
mount = "fixed"
"""


def found(profile, *, road=None, today=TODAY, policy=POLICY):
    """Faults and notes by their code."""
    roster = ROSTER + (f'road = "{road}"\n'.encode() if road else b"")
    checked = check_policy(
        File(policy, "policy.toml"), Against(None, File(roster, "roster.toml"), profile, today)
    )
    return (
        [one for one in checked.faults if one.code.startswith("jurisdiction-")],
        [one for one in checked.notes if one.code.startswith("jurisdiction-")],
    )


def of_cameras(findings):
    return [one for one in findings if one.code == "jurisdiction-forbids-camera"]


@pytest.mark.parametrize(
    ("road", "told"),
    [
        (None, "may stand on state-right-of-way"),
        ("state-right-of-way", "fixed cameras are not allowed on state-right-of-way in Florida"),
        ("other", ""),
    ],
)
def test_florida_forbids_fixed_cameras_on_the_states_right_of_way(road, told):
    """It was a note about a permit, after every permit had been revoked."""
    faults, _ = found(jurisdiction_files.named("us-fl"), road=road)
    cameras = of_cameras(faults)
    assert [one.field for one in cameras] == ([] if not told else [cameras[0].field])
    assert all(told in one.what for one in cameras)
    assert bool(cameras) is bool(told)


def test_a_draft_for_florida_may_begin_all_the_same():
    """Other roads are not covered by the memo."""
    assert jurisdiction_files.named("us-fl").forbids_fixed_cameras() is None
    assert jurisdiction_files.named("us-nh").forbids_fixed_cameras() is not None


@pytest.mark.parametrize(("name", "word"), [("us-va", "approval"), ("us-wa", "registration")])
def test_what_must_be_had_before_cameras_run_is_told(name, word):
    _, notes = found(jurisdiction_files.named(name))
    told = [one for one in notes if one.code == "jurisdiction-before-use"]
    assert [f"asks for {word} before cameras run" in one.what for one in told] == [True]


def test_before_its_day_a_fact_is_told_and_not_held():
    profile = jurisdiction_files.named("us-ky")
    policy = POLICY.replace(b'"21d"', b'"100d"')
    before, notes = found(profile, today=date(2026, 7, 14), policy=policy)
    after, _ = found(profile, today=date(2026, 7, 15), policy=policy)
    assert not [one for one in before if one.code == "jurisdiction-retention"]
    assert [one for one in notes if "from 2026-07-15 on, more holds" in one.what]
    assert [one for one in after if one.code == "jurisdiction-retention"]


def test_a_fact_that_has_ended_holds_no_more():
    text = (jurisdiction_files.FOLDERS[1] / "us-ia.toml").read_text()
    ended = text.replace("max_retention_days = 30", "max_retention_days = 30\nuntil = 2026-01-01")
    policy = POLICY.replace(b'"21d"', b'"31d"')
    assert found(parse_profile(text.encode(), "us-ia.toml"), policy=policy)[0]
    assert not found(parse_profile(ended.encode(), "us-ia.toml"), policy=policy)[0]


@pytest.mark.parametrize("name", ["us-ia", "us-ky", "us-id"])
def test_profiles_that_were_too_thin_are_held_now(name):
    assert jurisdiction_files.named(name).use == "check"


def test_a_local_law_is_a_note_for_whoever_it_concerns():
    text = (jurisdiction_files.FOLDERS[1] / "us-ak.toml").read_text()
    held = text.replace('use = "none"\nlooked = 2026-11-28', 'use = "check"')
    faults, notes = found(parse_profile(held.encode(), "us-ak.toml"))
    assert not of_cameras(faults), "whose cameras these are, nobody can see"
    told = {one.what for one in notes if one.code == "jurisdiction-local-law"}
    assert told == {
        "Anchorage has a law of its own",
        "Matanuska-Susitna Borough has a law of its own",
    }
