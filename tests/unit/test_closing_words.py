"""The closing summary: its numbers are the log's, its words a person's; it reads back strictly."""

import json

import pytest

from agent.core.log.closing_words import (
    DeliverTotals,
    WatchTotals,
    both,
    deliver_totals,
    deliver_words,
    format_totals,
    parse_deliver_totals,
    parse_watch_totals,
    receipt_words,
    watch_totals,
    watch_words,
)
from agent.core.log.tally import Tally
from agent.errors import EnvelopeRefusedError
from agent.host.process_pair import ReadsWaitError, summed_up

HOUR = {
    "hour": "2027-01-15T12:00:00.000Z",
    "seen": 90,
    "unreadable": 2,
    "sightings": 12,
    "released": 3,
    "dropped": 9,
    "tests": 0,
    "reasons": {"no-hotlist-match": 8, "confidence-too-low": 1},
}


def tally(*leaves):
    made = Tally()
    for kind, details in leaves:
        made.add(kind, details)
    return made


STREET = tally(("start", {}), *[("release", {})] * 3, ("counts", HOUR))


def test_stills_are_told_first():
    words = watch_words(WatchTotals(vehicles=4, stills=3))
    assert words.startswith("3 pictures, each for itself, 4 vehicles, 0 on the list")


def test_the_line_of_a_street():
    receipts = receipt_words(DeliverTotals(receipts=3))
    assert watch_words(watch_totals(STREET, 0), receipts) == (
        "12 vehicles, 4 on the list, 2 unreadable, 3 sealed, 3 receipts, 0 wait; "
        "dropped: confidence too low 1"
    )


def test_a_drop_under_several_reasons_is_one_vehicle_on_the_list():
    reasons = {"confidence-too-low": 1, "category-not-released": 1}
    made = tally(("counts", {**HOUR, "sightings": 1, "dropped": 1, "reasons": reasons}))
    assert made.listed() == 1


def test_a_release_that_could_not_be_sealed_was_on_the_list_once():
    made = tally(("counts", {**HOUR, "sightings": 1, "reasons": {"outbox-full": 2}}))
    assert made.listed() == 1


@pytest.mark.parametrize(
    "reason", ["no-hotlist-match", "never-release-list", "hotlist-stale", "bundle-lapsed"]
)
def test_what_was_not_looked_up_or_not_found_is_not_on_the_list(reason):
    assert tally(("counts", {**HOUR, "sightings": 5, "reasons": {reason: 5}})).listed() == 0


def test_hours_add_up_and_what_is_no_number_counts_as_nothing():
    odd = {"sightings": "12", "unreadable": True, "released": -1, "reasons": [], "dropped": 10**30}
    made = tally(("counts", HOUR), ("counts", odd), ("counts", HOUR), ("counts", {}))
    assert (made.sightings, made.unreadable, made.released, made.dropped) == (24, 4, 6, 18)
    assert made.reasons == {"no-hotlist-match": 16, "confidence-too-low": 2}
    assert tally(("counts", {"reasons": {"\x1b[2J": 1, "7XKD419": 3}})).reasons == {}


def test_deliver_says_what_keeps_reads_waiting_and_only_then():
    said = tally(
        ("receipt", {"outcome": "stored"}),
        ("receipt", {"outcome": "rejected:malformed"}),
        ("refusal", {}),
        ("expired", {}),
    )
    assert deliver_words(deliver_totals(said, 2, "broker down")) == (
        "2 receipts, 1 rejected, 1 withdrawn, 1 refused by deliver, 2 wait: broker down"
    )
    assert deliver_words(deliver_totals(tally(), 0, "broker down")) == "0 receipts, 0 wait"


def test_a_bundle_that_is_refused_or_missing_is_told_in_its_own_line_alone():
    """A city without a hot list, as on the first ten minutes' desk: it read like a refused read."""
    said = tally(
        ("receipt", {"outcome": "stored"}),
        ("refusal", {"reason": "bundle-lapsed", "what": "hotlist was never published"}),
        ("refusal", {"reason": "receipt-malformed"}),
    )
    assert deliver_totals(said, 0, "").refused == 1


def test_a_deliver_that_was_stopped_before_it_was_up_hides_no_read_that_waits():
    ended = summed_up(format_totals(WatchTotals(1, 0, 1, 1, 1)).encode(), b"")
    assert "1 read still waits: no receipt has come in time" in str(ReadsWaitError(ended))
    assert summed_up(b"", format_totals(DeliverTotals()).encode()) is None


def test_both_read_back_and_nothing_else_does():
    watch, deliver = watch_totals(STREET, 1), DeliverTotals(3, 0, 1, 0, 1, "broker down")
    assert parse_watch_totals(format_totals(watch).encode(), "watch") == watch
    assert parse_deliver_totals(format_totals(deliver).encode(), "deliver") == deliver
    assert both(watch, deliver)["waiting"] == 1
    table = json.loads(format_totals(watch))
    for odd in (
        {**table, "plate": "7XKD419"},
        {**table, "vehicles": -1},
        {**table, "dropped": {"7XKD419": 1}},
        {**table, "sealed": "3"},
    ):
        with pytest.raises(EnvelopeRefusedError):
            parse_watch_totals(json.dumps(odd).encode(), "watch")
    for odd in (b"", b"[]", b'{"why": "\\u001b"}', format_totals(WatchTotals()).encode()):
        with pytest.raises(EnvelopeRefusedError):
            parse_deliver_totals(odd, "deliver")
