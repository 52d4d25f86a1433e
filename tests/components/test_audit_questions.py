"""`audit questions`: in random logs with one fault each, the fault is found and named with its log
and leaf; of a sound log nothing bad is told.
"""

import json
import os
import random
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from agent.audit.questions.ask import ask
from agent.audit.questions.findings import NOTES, Finding
from agent.audit.questions.receiver_file import DeviceTold, ReceiverTold, read_receiver
from agent.commands.audit import app
from agent.core.log.checkpoint import origin_of
from agent.core.text.rfc3339 import rfc3339
from agent.errors import LogRefusedError, UsageError
from tests.components.test_audit_holds import FAULTS as HOLD_FAULTS
from tests.support.audit_logs import KEY, jwk, tamper
from tests.support.told_logs import CITY, FIRST, RECIPIENTS, Leaf, some_story, write

pytestmark = pytest.mark.usefixtures("quick_disk")
SEED = int(os.environ.get("PLATEWARDEN_SEED", "20261129"))
STORIES = int(os.environ.get("PLATEWARDEN_STORIES", "4"))
ENDS = ("receipt", "expired", "withdrawal")
CAMERA = "camera-1"
WATCH, DELIVER = (CAMERA, "watch"), (CAMERA, "deliver")


def asked(told, folder):
    receivers = [
        ReceiverTold(name, {camera: DeviceTold(**one) for camera, one in devices.items()})
        for name, devices in told.status.items()
    ]
    return ask(write(told, folder), receivers)


def insert(told, log, number, kind, **details):
    """A leaf before that one, logged at its time."""
    leaves = told.logs[log]
    leaves.insert(number, Leaf(leaves[number].at, kind, details))
    return log, number


def released_and_ended(told, *kinds):
    """(release, end) as leaf numbers in watch's log."""
    watch = told.logs[WATCH]
    releases = {watch[one].details["read"]: one for one in told.find(*WATCH, "release")}
    return [(releases[watch[one].details["read"]], one) for one in told.find(*WATCH, *kinds)]


def hour_missing(told, chance):
    watch, runs = told.logs[WATCH], []
    for number, leaf in enumerate(watch):
        if leaf.kind in {"start", "clock"}:
            runs.append([number])
        elif leaf.kind == "counts" and runs:
            runs[-1].append(number)
    # the first hour is not whole, and the last two may have ended just now
    begin, *counts = chance.choice([run for run in runs if len(run) >= 5])
    hours = [leaf.details.get("hour") for leaf in watch]
    once = [one for one in counts[1:-2] if hours.count(hours[one]) == 1]  # no clock was put back
    hour = watch.pop(chance.choice(once)).details["hour"]
    return WATCH, begin, hour


def deliver_silent(told, chance):
    deliver, counts = told.logs[DELIVER], []
    for number, leaf in enumerate(deliver):
        if leaf.kind in {"start", "clock"}:
            counts = []
        elif leaf.kind == "counts":
            counts.append(number)
        if len(counts) == 5:
            break
    assert len(counts) == 5, "no run is long enough"
    for number in reversed(counts[1:4]):
        deliver.pop(number)
    return DELIVER, counts[4] - 3


def release_without_end(told, chance):
    release, end = chance.choice(released_and_ended(told, *ENDS))
    watch = told.logs[WATCH]
    read = watch.pop(end).details["read"]
    watch[release].details["deadline"] = rfc3339(FIRST - timedelta(days=2))
    told.logs[DELIVER][:] = [one for one in told.logs[DELIVER] if one.details.get("read") != read]
    return WATCH, release


def end_without_release(told, chance):
    number = chance.choice(told.find(*WATCH, "counts"))
    return insert(told, WATCH, number, "expired", read="f" * 32, recipient=RECIPIENTS[0])


def ended_twice(told, chance):
    _, end = chance.choice(released_and_ended(told, *ENDS))
    return insert(told, WATCH, end + 1, "expired", **told.logs[WATCH][end].details)


def released_twice(told, chance):
    number = chance.choice(told.find(*WATCH, "release"))
    return insert(told, WATCH, number + 1, "release", **told.logs[WATCH][number].details)


def renumbered(told, chance, by):
    """One release and all later ones to the same recipient."""
    watch = told.logs[WATCH]
    first = next(
        number
        for number in chance.sample(told.find(*WATCH, "release"), 3)
        if watch[number].details["sequence"] > 1
    )
    recipient = watch[first].details["recipient"]
    for leaf in watch[first:]:
        if leaf.kind == "release" and leaf.details["recipient"] == recipient:
            leaf.details["sequence"] += by
    told.status[recipient][CAMERA]["highest"] += by
    return WATCH, first


def number_missing(told, chance):
    return renumbered(told, chance, 1)


def number_twice(told, chance):
    return renumbered(told, chance, -1)


def log_begun_anew(told, chance):
    first = {name: chance.randrange(3) for name in RECIPIENTS}
    return insert(told, WATCH, 0, "missing", leaves=12, root="ab", sequences=first)


def log_put_back(told, chance):
    number = chance.randrange(1, len(told.logs[DELIVER]))
    return insert(told, DELIVER, number, "refusal", reason="log-truncated", what="lower")


def read_lost(told, chance):
    _, end = chance.choice(released_and_ended(told, "expired", "withdrawal", "receipt"))
    told.logs[WATCH][end].kind = "lost"
    return WATCH, end


def overflow(told, chance):
    number = chance.randrange(1, len(told.logs[WATCH]))
    return insert(told, WATCH, number, "overflow", recipient=RECIPIENTS[0], limit_reads=9)


def sent_unknown(told, chance):
    number = chance.randrange(1, len(told.logs[DELIVER]) - 1)
    return insert(told, DELIVER, number, "receipt", read="e" * 32, outcome="stored")


def of_deliver(told, read):
    return next(
        number
        for number, leaf in enumerate(told.logs[DELIVER])
        if leaf.kind == "receipt" and leaf.details["read"] == read
    )


def receipt_unknown(told, chance):
    _, end = chance.choice(released_and_ended(told, "receipt"))
    told.logs[DELIVER].pop(of_deliver(told, told.logs[WATCH][end].details["read"]))
    return WATCH, end


def answers_differ(told, chance):
    _, end = chance.choice(released_and_ended(told, "receipt"))
    number = of_deliver(told, told.logs[WATCH][end].details["read"])
    told.logs[DELIVER][number].details["outcome"] = "rejected:malformed"
    return WATCH, end


def beyond_log(told, chance):
    told.status[chance.choice(RECIPIENTS)][CAMERA]["highest"] += 3
    return WATCH, None


def received_twice(told, chance):
    told.status[chance.choice(RECIPIENTS)][CAMERA]["twice"] = [[1, 2]]
    return WATCH, None


def not_held(told, chance):
    release, end = chance.choice(released_and_ended(told, "receipt"))
    details = told.logs[WATCH][release].details
    number = details["sequence"]
    told.status[details["recipient"]][CAMERA]["missing"] = [[number, number]]
    return WATCH, end


def list_unknown(told, chance):
    """An older list was known; then one comes whose publication the city's log does not tell."""
    watch, acts = told.logs[WATCH], told.logs[CITY, "city"]
    number = chance.choice([one for one in told.find(*WATCH, "stop") if one > 2])
    version = max(leaf.details["versions"]["hotlist"] for leaf in watch if leaf.kind == "bundles")
    acts[:] = [leaf for leaf in acts if leaf.details.get("version", 0) <= version]
    for process in ("watch", "deliver"):  # the other camera would miss the same acts
        del told.logs["camera-2", process]
    versions = {"hotlist": version + 1, "policy": 7}
    insert(told, WATCH, number, "bundles", city=CITY, versions=versions)
    return insert(told, WATCH, number + 1, "policy", hotlist_digest="planted", policy_version=7)


def checkpoint_missing(told, _chance):
    since = "2027-01-15T08:00:00.000Z"
    details = {"outcome": "missing", "log": origin_of(*WATCH), "before": 3, "since": since}
    return (*add_to_city(told, details), origin_of(*WATCH), since)


def checkpoint_misfit(told, _chance):
    details = {"outcome": "refused", "log": origin_of(*DELIVER), "reason": "log-truncated"}
    return (*add_to_city(told, details), origin_of(*DELIVER), "log-truncated")


def add_to_city(told, details):
    """Beside one that fits, of which nothing is told."""
    log, acts = (CITY, "city"), told.logs[CITY, "city"]
    fits = {"outcome": "grown", "log": origin_of(*WATCH), "size": 3}
    acts += [Leaf(acts[-1].at, "checkpoint", one) for one in (fits, details)]
    return log, len(acts) - 1


FAULTS = {
    Finding.HOUR_WITHOUT_COUNTS: hour_missing,
    Finding.SILENT: deliver_silent,
    Finding.RELEASE_WITHOUT_END: release_without_end,
    Finding.END_WITHOUT_RELEASE: end_without_release,
    Finding.ENDED_TWICE: ended_twice,
    Finding.RELEASED_TWICE: released_twice,
    Finding.NUMBER_MISSING: number_missing,
    Finding.NUMBER_TWICE: number_twice,
    Finding.LOG_BEGUN_ANEW: log_begun_anew,
    Finding.LOG_PUT_BACK: log_put_back,
    Finding.READ_LOST: read_lost,
    Finding.OVERFLOW: overflow,
    Finding.SENT_UNKNOWN: sent_unknown,
    Finding.RECEIPT_UNKNOWN: receipt_unknown,
    Finding.ANSWERS_DIFFER: answers_differ,
    Finding.BEYOND_LOG: beyond_log,
    Finding.RECEIVED_TWICE: received_twice,
    Finding.NOT_HELD: not_held,
    Finding.LIST_UNKNOWN: list_unknown,
    Finding.CHECKPOINT_MISSING: checkpoint_missing,
    Finding.CHECKPOINT_MISFIT: checkpoint_misfit,
}


def stories():
    """Each with its own number of chance, long enough that every fault can be planted."""
    number, found = SEED, 0
    while found < STORIES:
        number += 1
        told = some_story(random.Random(number))
        for fault in FAULTS.values():
            try:
                fault(told.copy(), random.Random(number))
            except (IndexError, AssertionError, StopIteration, ValueError):
                break
        else:
            found += 1
            yield number, told


STORY_OF = dict(stories())


@pytest.mark.parametrize("number", STORY_OF)
def test_of_a_sound_story_nothing_bad_is_told(number, tmp_path):
    answers = asked(STORY_OF[number], tmp_path)
    assert [one for one in answers if one.bad] == []


@pytest.mark.parametrize("finding", FAULTS)
@pytest.mark.parametrize("number", STORY_OF)
def test_a_planted_fault_is_found_and_named(number, finding, tmp_path):
    told = STORY_OF[number].copy()
    log, leaf, *words = FAULTS[finding](told, random.Random(number))
    bad = [one for one in asked(told, tmp_path) if one.bad]
    named = [one for one in bad if one.finding is finding]
    assert [(one.origin, one.leaf) for one in named] == [(origin_of(*log), leaf)], bad
    assert named[0].camera == log[0]
    assert all(word in named[0].what for word in words)


def test_every_bad_finding_has_its_fault():
    of_holds = {finding for _, finding in HOLD_FAULTS.values()}
    assert set(FAULTS) | of_holds == set(Finding) - NOTES


def test_what_is_worth_knowing_is_told_as_a_note(tmp_path):
    told = some_story(random.Random(SEED), cameras=1)
    watch, late = told.logs[WATCH], timedelta(days=3)
    end = watch[-1].at
    watch += [
        Leaf(end + late, "start", {}),
        Leaf(end + late, "release", {"read": "a", "recipient": "x", "sequence": 1}),
    ]
    watch[-1].details["deadline"] = rfc3339(end + timedelta(days=21))
    watch.append(Leaf(end + late, "refusal", {"reason": "spki-pin-mismatch", "what": "a broker"}))
    watch.append(Leaf(end + 2 * late, "start", {}))
    del told.logs[DELIVER]
    told.status = {"x": {"camera-9": {"highest": 1, "missing": [], "twice": []}}}
    answers = asked(told, tmp_path)
    assert {one.finding for one in answers if one.origin.startswith("platewarden/camera")} >= {
        Finding.OFF,
        Finding.WAITING,
        Finding.REFUSED_DESTINATION,
        Finding.STOPPED_BY_FORCE,
        Finding.NOT_ASKED,
    }
    assert {one.finding for one in answers if one.bad} <= {Finding.HOUR_WITHOUT_COUNTS}


def test_reads_that_are_wiped_with_the_camera_have_ended(tmp_path):
    told = some_story(random.Random(SEED), cameras=1)
    end = told.logs[WATCH][-1].at
    release = {"read": "a", "recipient": "x", "sequence": 1}
    release["deadline"] = rfc3339(FIRST - timedelta(days=2))
    told.logs[WATCH] += [Leaf(end, "release", release), Leaf(end, "decommission", {"reads": 1})]
    assert not [one for one in asked(told, tmp_path) if one.bad]
    told.logs[WATCH][-1].details["reads"] = 0
    bad = [one.finding for one in asked(told, tmp_path / "again") if one.bad]
    assert bad == [Finding.RELEASE_WITHOUT_END]


class TestCommand:
    @pytest.fixture
    def work(self, tmp_path):
        told = some_story(random.Random(SEED), cameras=1)
        write(told, tmp_path / "logs")
        (tmp_path / "key.json").write_text(json.dumps(jwk(KEY)))
        status = {"recipient": RECIPIENTS[0], "reads": 3, "devices": []}
        (tmp_path / "status.json").write_text(json.dumps(status))
        return tmp_path

    def run(self, work, *more):
        words = ["questions", str(work / "logs"), "--key", str(work / "key.json"), *map(str, more)]
        return CliRunner().invoke(app, words)

    def test_nothing_bad(self, work):
        result = self.run(work, "--receiver", work / "status.json")
        assert result.exit_code == 0, result.output
        assert "0 bad answers" in result.output
        assert "3 logs: 3 whole" in result.output

    def test_a_bad_answer_ends_with_3(self, work):
        status = {"device": CAMERA, "highest": 900, "missing": [], "twice": []}
        told = {"recipient": RECIPIENTS[0], "devices": [status]}
        (work / "status.json").write_text(json.dumps(told))
        result = self.run(work, "--receiver", work / "status.json", "--json")
        assert result.exit_code == 3
        bad = [one for one in json.loads(result.output)["answers"] if one["bad"]]
        assert [(one["finding"], one["camera"], one["log"]) for one in bad] == [
            ("number-beyond-log", CAMERA, origin_of(*WATCH))
        ]
        assert (
            "BAD  [number-beyond-log]" in self.run(work, "--receiver", work / "status.json").output
        )

    def test_a_log_that_was_touched_is_refused_as_such(self, work):
        tamper(work / "logs" / CAMERA / "watch", "DELETE FROM leaf WHERE n = 3")
        assert isinstance(self.run(work).exception, LogRefusedError)

    @pytest.mark.parametrize("text", ["{}", "[", '{"recipient": "a", "devices": [{"device": 1}]}'])
    def test_what_is_no_receivers_status(self, work, text):
        (work / "status.json").write_text(text)
        with pytest.raises(UsageError, match="receiver status --json"):
            read_receiver(work / "status.json")
