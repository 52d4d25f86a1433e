"""`audit questions` of the recipients' hold logs: a hold without end and a read outside any hold
are found and named with their leaf; of sound logs, made by a receiver itself too, nothing bad is
told.
"""

import random
from datetime import timedelta

import pytest

from agent.audit.log_verify import verify
from agent.audit.questions.ask import ask
from agent.audit.questions.findings import Finding
from agent.audit.trusted_keys import keys_of
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from tests.promises.test_p06_holds import APPLIED, apply, court, enrolled, opened, read
from tests.support.told_logs import FIRST, Leaf, Told, some_story, write

__all__ = ["court", "enrolled", "read"]
pytestmark = pytest.mark.usefixtures("quick_disk")

PD = ("exampleville-pd", "hold")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAMERA, HOLD, READ = "camera-1", "ab" * 16, "cd" * 16


def leaf(hours, act, hold=HOLD, camera=CAMERA, read_id=READ, **more):
    details = {"act": act, "hold": hold, **more}
    if act in {"keep", "unkept", "open"}:
        details |= {"camera": camera, "read": read_id}
    return Leaf(FIRST + hours * HOUR, "hold", details)


def begin(hold=HOLD, expires=FIRST + 9 * DAY, **more):
    window = {"since": rfc3339(FIRST - HOUR), "until": rfc3339(FIRST)}
    return leaf(1, "begin", hold, camera=CAMERA, expires=rfc3339(expires), **window, **more)


def sound():
    """Two holds, one of which has ended; the log goes on until the other could have."""
    first = begin(expires=FIRST + 3 * DAY)
    other = "ef" * 16
    second = begin(other, expires=FIRST + 12 * DAY)
    for one in (first, second):
        one.details["camera"] = CAMERA
    leaves = [first, leaf(1, "keep"), second, leaf(2, "keep", other), leaf(3, "open")]
    return Told({PD: [*leaves, leaf(73, "end", reads=1), leaf(250, "open", other)]})


def answers(told, folder):
    return [one for one in ask(write(told, folder)) if one.finding is not Finding.NOT_ASKED]


def test_of_sound_logs_nothing_bad_is_told(tmp_path):
    (note,) = answers(sound(), tmp_path)
    assert (note.finding, note.leaf, note.bad) == (Finding.HOLD_LASTS, 2, False)


def test_a_receivers_own_log_is_sound(enrolled, court, read):
    kept = apply(enrolled, court.record(read_id=read.tags.read_id)).kept
    opened(enrolled, court, kept.id, APPLIED)
    folder = enrolled.folder / "hold-log"
    trusted = keys_of([folder / "public.json"], None)
    (lasts,) = ask([verify(folder, trusted)])
    assert (lasts.finding, lasts.leaf) == (Finding.HOLD_LASTS, 0)
    enrolled.place.tidy(Instant(kept.expires_at))
    assert ask([verify(folder, trusted)]) == ()


def changed(number, shows_at=None, **details):
    def change(leaves):
        leaves[number].details.update(details)
        return number if shows_at is None else shows_at

    return change


def gone(number, shows_at):
    def change(leaves):
        leaves.pop(number)
        return shows_at

    return change


def added(after, one):
    def change(leaves):
        leaves.insert(after + 1, one)
        return after + 1

    return change


FAULTS = {
    "no end": (gone(5, 0), Finding.HOLD_WITHOUT_END),
    "no expiry": (changed(2, expires="soon"), Finding.HOLD_WITHOUT_END),
    "no begin": (gone(2, 2), Finding.HELD_WITHOUT_HOLD),
    "kept after the end": (added(5, leaf(74, "keep")), Finding.HELD_WITHOUT_HOLD),
    "opened after the end": (added(5, leaf(74, "open")), Finding.HELD_WITHOUT_HOLD),
    "another camera": (changed(3, camera="camera-2"), Finding.HELD_WITHOUT_HOLD),
    "another read than the hold names": (
        changed(2, shows_at=3, read="01" * 16),
        Finding.HELD_WITHOUT_HOLD,
    ),
    "opened and never kept": (changed(4, read="01" * 16), Finding.HELD_WITHOUT_HOLD),
    "a read that died": (changed(1, act="unkept", reason="key-destroyed"), Finding.HELD_LOST),
}


@pytest.mark.parametrize(("change", "finding"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_leaf(change, finding, tmp_path):
    told = sound()
    number = change(told.logs[PD])
    found = [one for one in answers(told, tmp_path) if one.bad]
    assert (finding, number) in {(one.finding, one.leaf) for one in found}
    assert {one.camera for one in found} == {PD[0]}


def test_a_read_from_before_the_window_is_found_beside_the_cameras_log(tmp_path):
    told = some_story(random.Random(4), cameras=1)
    assert not [one for one in answers(told, tmp_path / "before") if one.bad]
    watch = told.logs[CAMERA, "watch"]
    release = watch[told.find(CAMERA, "watch", "release")[0]]
    for since, bad in ((release.at, False), (release.at + HOUR, True)):
        first = begin(expires=FIRST + 90 * DAY)
        first.details |= {"camera": CAMERA, "since": rfc3339(since)}
        kept = leaf(2, "keep", read_id=release.details["read"])
        told.logs[PD] = [first, kept]
        found = [one for one in answers(told, tmp_path / str(bad)) if one.bad]
        assert [(one.finding, one.leaf) for one in found] == (
            [(Finding.HELD_WITHOUT_HOLD, 1)] if bad else []
        )


def test_what_one_receiver_applied_another_may_keep(tmp_path):
    told = sound()
    kept = told.logs[PD].pop(3)
    told.logs["exampleville-pd.2", "hold"] = [kept]
    (note,) = answers(told, tmp_path)
    assert note.finding is Finding.HOLD_LASTS
