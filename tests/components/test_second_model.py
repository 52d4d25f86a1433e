"""The camera's line from sighting to decision agrees with a second, deliberately naive model
written from the documentation's prose.
"""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import pipeline
from agent.core.hotlist.matching import match
from agent.core.policy.charter import require
from agent.core.policy.decide import may_publish
from agent.core.policy.decider import Decider
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Sighting
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PolicyRefusedError
from tests.support.judging import NOON, PICTURE
from tests.support.second_model import Expected, Model, charter_faults, publish
from tests.support.worlds import CAMERAS, Draw, looked_for, obeyed

PASSING = 80  # sightings in one world
DECIDED = {
    *(
        "released",
        "no-hotlist-match",
        "never-release-list",
        "read-limited",
        "hotlist-stale",
        "clock-untrusted",
        "policy-not-in-force",
        "camera-barred",
        "hours-barred",
    ),
    *(
        "camera-not-released",
        "category-not-released",
        "match-level-not-released",
        "confidence-too-low",
        "budget-spent",
        "false-leads",
    ),
    *("recipient-not-in-policy", "recipient-expired", "no-broker-for-recipient"),
}
REFUSED = {
    "charter-forbids-recipient",
    "charter-forbids-kind",
    "charter-forbids-purpose",
    "charter-forbids-category",
    "charter-retention",
}
LEVELS = {"released as exact", "released as text", "released as confusable"}
WITHDRAWN = {
    *(
        "may go",
        "clock-untrusted",
        "deadline-passed",
        "policy-not-in-force",
        "rule-not-in-policy",
        "camera-barred",
        "hours-barred",
        "camera-not-released",
    ),
    *(
        "recipient-not-in-policy",
        "purpose-not-in-policy",
        "category-not-released",
        "match-level-not-released",
        "retention-not-permitted",
    ),
    *("recipient-expired", "no-broker-for-recipient"),
}


class Camera:
    """The real line behind the vote, and nothing sealed: `ask` says what it decided."""

    def __init__(self, name, world, stopped):
        self.world = world
        self.line = pipeline.Line(
            name,
            None,
            None,
            Tracker(),
            looked_for(world),
            Decider(obeyed(world)),
            self,
            self,
            None,
            self,
        )
        self.line.decider.stop(stopped)

    def ask(self, seen, monkeypatch):
        self.releases, self.reasons = [], None
        monkeypatch.setattr(pipeline, "vote", lambda _, camera: sighting_of(seen, camera))
        monkeypatch.setattr(
            pipeline,
            "match",
            lambda sighting, hotlist: match(sighting, hotlist, seen.vehicle_class),
        )
        pipeline.report(self.line, None)
        return self.reasons, self.releases

    def next_sequence(self, recipient):
        return 1

    def seal(self, sighting, release, sequence):
        return release

    def put(self, release):
        self.releases.append(release)

    def add(self, decision, captured):
        self.reasons = tuple(map(str, decision.reasons))


def sighting_of(seen, camera):
    alternatives = tuple(Alternative(PlateText(text), 0.1) for text in seen.alternatives)
    captured = Instant(seen.at, ClockTrust(seen.clock))
    return Sighting(
        PlateText(seen.text),
        seen.confidence,
        (0.99,) * len(seen.text),
        alternatives,
        "us",
        seen.state,
        PICTURE,
        captured,
        camera,
        5,
        seen.limits,
    )


def told(world, releases):
    """What the releases say, and what they should, as plain values."""
    rules = {rule.rule: rule for rule in world.policy.releases}
    for rule, row, level in releases:
        r = rules[rule]
        lead = (row.category, level, row.agency, row.case, row.source_date, ())
        yield (
            rule,
            r.recipient,
            r.purpose,
            r.retention_days,
            r.include,
            lead,
            world.policy.name,
            world.policy.version,
            world.policy.digest,
        )


def as_values(release):
    m = release.match
    lead = (m.category, m.level.value, m.entry_agency, m.entry_case, m.entry_source_date, m.others)
    named = (
        release.rule,
        release.recipient,
        release.purpose,
        release.retention_days,
        release.include,
    )
    return *named, lead, release.policy_name, release.policy_version, release.policy_digest


def compare(draw, monkeypatch, happened, passing=PASSING):
    """One world: the charter's answer, then what its cameras decide of every vehicle.

    Counts what happened.
    """
    world, plates = draw.world()
    faults = charter_faults(world.charter, world.policy)
    assert {str(fault.reason) for fault in world.charter.check(world.policy)} == {
        reason for reason, _ in faults
    }
    assert all(
        any(
            str(fault.reason) == reason and f'"{name}"' in fault.what
            for fault in world.charter.check(world.policy)
        )
        for reason, name in faults
    )
    if faults:
        with pytest.raises(PolicyRefusedError) as refused:
            require(world.policy, world.charter)
        assert refused.value.exit_code == 3
        happened.update(reason for reason, _ in faults)
        return
    require(world.policy, world.charter)
    stopped = draw.stopped()
    model = Model(world, stopped)
    cameras = {name: Camera(name, world, stopped) for name in CAMERAS}
    for seen in draw.passing(plates, passing):
        expected: Expected = model.decide(seen)
        reasons, releases = cameras[seen.camera].ask(seen, monkeypatch)
        assert reasons == expected.reasons, seen
        assert list(map(as_values, releases)) == list(told(world, expected.releases)), seen
        happened.update(
            [
                "cases",
                *expected.reasons,
                *(f"released as {level}" for _, _, level in expected.releases),
            ]
        )


def judge_again(draw, happened, count=20):
    world, _ = draw.world()
    policy = obeyed(world)
    for _ in range(count):
        tags = draw.tags()
        trust = draw.one(
            *((trust, 9) for trust in ClockTrust if trust is not ClockTrust.UNTRUSTED),
            (ClockTrust.UNTRUSTED, 1),
        )
        now = draw.chance.choice((NOON, tags.deadline, *(NOON + hours for hours in HOURS)))
        reason = may_publish(tags, policy, Instant(now, trust))
        expected = publish(tags, policy, now, trust.value)
        assert (reason or "") == expected, (tags, policy, now)
        happened[expected or "may go"] += 1


HOURS = [NOON.replace(day=day, hour=0) - NOON for day in (22, 23, 24, 27)]


@pytest.mark.parametrize("seed", range(8))
def test_a_camera_decides_as_the_documentation_says(seed, monkeypatch):
    draw = Draw(random.Random(seed))
    for _ in range(10):
        compare(draw, monkeypatch, Counter())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_cases_and_every_outcome_among_them(monkeypatch):
    happened, draw = Counter(), Draw(random.Random(2026))
    while happened["cases"] < 100_000:
        compare(draw, monkeypatch, happened)
    assert {name for name in DECIDED | LEVELS if happened[name] < 500} == set()
    assert {name for name in REFUSED if happened[name] < 20} == set()
    assert set(happened) == DECIDED | REFUSED | LEVELS | {"cases"}
    assert set(happened) - LEVELS - {"cases"} <= set(Reason)


@given(st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_a_disagreement_would_be_shrunk(chance):
    with pytest.MonkeyPatch.context() as monkeypatch:
        compare(Draw(chance), monkeypatch, Counter(), passing=3)


def test_a_sealed_read_is_judged_again_as_the_documentation_says():
    happened, draw = Counter(), Draw(random.Random(7))
    for _ in range(400):
        judge_again(draw, happened)
    assert {name for name in WITHDRAWN if happened[name] < 20} == set()
    assert set(happened) == WITHDRAWN
