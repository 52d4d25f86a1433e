"""`receiver status` and `receiver doctor` tell how many reads are held, under which hold and until
when; what could not be held, and a hold that should have ended.
"""

import json
from contextlib import closing
from datetime import timedelta

import pytest

from agent import cli
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.doctor import recipient
from agent.receiver.holds.holds_told import holds_told
from agent.receiver.receiver_status import as_text, status
from tests.support.holding import DAY, HOUR, Court, take
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW, APPLIED = Instant(CAPTURED), Instant(CAPTURED + 2 * HOUR)


class Place:
    """A receiver with two reads in the court's window, and one hold of them."""

    def __init__(self, folder):
        self.enrolled = Enrolled(folder / "recipient", now=NOW)
        self.court = Court(folder)
        self.court.grant(self.enrolled)
        for _ in range(2):
            take(self.enrolled.place, self.enrolled.seal(retention_days=3), NOW)
        self.first = self.apply()
        self.end = self.court.hold().expires_at

    def apply(self, **changes):
        with closing(self.enrolled.place.store()) as store:
            record = self.court.record(**changes)
            return self.enrolled.place.holds.apply(store, record, APPLIED).kept.id

    def status(self, now=APPLIED):
        table = status(self.enrolled.place, now)
        return table["holds"], [line for line in as_text(table).splitlines() if "Held" in line]

    def doctor(self, now=APPLIED):
        return recipient._one("holds", recipient._holds, self.enrolled.place, now)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_each_hold_has_its_line_the_first_to_end_first(place):
    sooner = place.apply(reference="27CR-0043", expires_at=CAPTURED + 10 * DAY)
    told, lines = place.status()
    assert [(one["hold"], one["reads"], one["refused"], one["overdue"]) for one in told] == [
        (sooner, 2, 0, False),
        (place.first, 2, 0, False),
    ]
    assert [one["expires_at"] for one in told] == [
        rfc3339(CAPTURED + 10 * DAY),
        rfc3339(place.end),
    ]
    assert lines == [
        f"Held       2 under hold {one['hold']}, until {one['expires_at']}" for one in told
    ]


def test_doctor_says_how_many_and_until_when(place):
    place.apply(reference="27CR-0043", expires_at=CAPTURED + 10 * DAY)
    found = place.doctor()
    assert str(found.health) == "ok"
    assert found.what == (
        f"4 reads are held under 2 holds, the first until {CAPTURED + 10 * DAY:%Y-%m-%d %H:%M} "
        f"UTC, the last until {place.end:%Y-%m-%d %H:%M} UTC"
    )


def test_what_could_not_be_held_is_counted_apart(place):
    late = place.enrolled.seal(retention_days=3)
    take(place.enrolled.place, late, NOW)
    [file] = (place.enrolled.folder / "store").glob(f"*{late.tags.read_id}*")
    file.write_bytes(b"rotten")
    place.enrolled.place.tidy(Instant(late.tags.deadline))
    [told], [line] = place.status(Instant(late.tags.deadline))
    assert (told["reads"], told["refused"]) == (2, 1)
    assert "1 could not be held" in line
    found = place.doctor(Instant(late.tags.deadline))
    assert (str(found.health), "1 reads could not be held" in found.what) == ("warn", True)


def test_one_that_should_have_ended_is_a_fault_until_it_has(place):
    due = Instant(place.end + timedelta(seconds=1))
    assert "OVERDUE" in place.status(due)[1][0]
    assert str(place.doctor(due).health) == "fail"
    place.enrolled.place.tidy(due)
    assert place.status(due) == ([], [])
    assert place.doctor(due).what == "no read is held beyond its deadline"


def test_neither_says_a_case_or_a_plate(place, capsys):
    for word in ("status", "doctor"):
        with pytest.raises(SystemExit):
            cli.main(["receiver", word, str(place.enrolled.folder), "--json"])
        said = capsys.readouterr().out
        assert json.loads(said)
        assert not [one for one in (PLATE, "27CR", place.court.holder) if one in said]
    with closing(place.enrolled.place.store()) as store:
        assert [one.hold for one in holds_told(store)] == [place.first]
