"""What deliver writes for `status`: told at changes, bounded, strict when read back."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.core.log.link_facts import Link, LinkFacts, format_facts, parse_facts
from agent.core.time.instant import ClockTrust
from agent.errors import EnvelopeRefusedError, StorageError
from agent.host import link_ledger
from agent.host.link_ledger import NO_RECEIPT, RECEIPT_LATE_S, UNTRUSTED, LinkLedger
from agent.host.teller import Teller
from tests.fakes.clock import FakeClock

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
DOWN = "broker 'city-hall' at 203.0.113.10:8883: cannot connect: connection refused"
FACTS = LinkFacts(AT, running=True, links=(Link("city-hall", AT, DOWN),), why=DOWN, since=AT)


@pytest.fixture
def clock():
    return FakeClock(AT)


@pytest.fixture
def ledger(tmp_path, clock):
    return LinkLedger(tmp_path, clock, Teller("deliver", monotonic_s=clock.monotonic_s))


def written(tmp_path):
    return parse_facts((tmp_path / "links.json").read_bytes(), "links.json")


def said(capsys):
    return [
        line.removeprefix("platewarden deliver: ") for line in capsys.readouterr().err.splitlines()
    ]


def test_it_reads_back():
    for facts in (FACTS, replace(FACTS, running=False, links=(), why="", since=None)):
        assert parse_facts(format_facts(facts), "links.json") == facts


@pytest.mark.parametrize(
    "odd",
    [
        {"v": 2},
        {"v": True},
        {"running": "yes"},
        {"links": [{"broker": "city hall", "since": "2027-01-15T12:00:00.000Z", "why": ""}]},
        {"links": [{"broker": "b", "since": "2027-01-15T12:00:00.000Z", "why": "\x1b[2J"}]},
        {"links": [{"broker": "b", "since": "1970-01-15T12:00:00.000Z", "why": ""}]},
        {"links": [None] * 65},
        {"why": "x" * 601},
        {"plate": "7XKD419"},
    ],
)
def test_anything_else_is_malformed(odd):
    table = {**json.loads(format_facts(FACTS)), **odd}
    with pytest.raises(EnvelopeRefusedError, match="malformed"):
        parse_facts(json.dumps(table).encode(), "links.json")


def test_a_broker_that_goes_and_comes_is_told_and_written_with_the_time_of_each(
    ledger, clock, tmp_path, capsys
):
    ledger.look({"city-hall": ""}, 0, 0, "")
    assert said(capsys) == ["broker 'city-hall': connected"]
    clock.advance(60)
    ledger.look({"city-hall": DOWN}, 1, 0, DOWN)
    assert said(capsys) == [
        "broker 'city-hall': at 203.0.113.10:8883: cannot connect: connection refused",
        f"outbox: reads wait: {DOWN}",
    ]
    facts = written(tmp_path)
    assert facts.links == (Link("city-hall", clock.utc, DOWN),)
    assert (facts.why, facts.since, ledger.why()) == (DOWN, clock.utc, DOWN)
    clock.advance(60)
    ledger.look({"city-hall": ""}, 0, 1, "")
    assert said(capsys) == ["broker 'city-hall': connected", "outbox: reads go out"]
    assert (written(tmp_path).why, written(tmp_path).since, ledger.why()) == ("", None, "")


def test_a_receipt_that_is_on_its_way_is_no_trouble_and_one_that_stays_out_is(
    ledger, clock, tmp_path, capsys
):
    ledger.look({"city-hall": ""}, 1, 0, "")
    assert ledger.why() == NO_RECEIPT, "whoever ends now still learns why the read waits"
    assert "outbox" not in str(said(capsys))
    clock.advance(RECEIPT_LATE_S)
    ledger.look({"city-hall": ""}, 1, 0, "")
    assert said(capsys) == [f"outbox: reads wait: {NO_RECEIPT}"]
    assert written(tmp_path).why == NO_RECEIPT


def test_no_policy_and_a_clock_that_may_not_be_believed_are_why_too(ledger, clock, capsys):
    ledger.look(None, 1, 0, "nothing is published: no bundles have come yet")
    assert said(capsys) == ["policy: nothing is published: no bundles have come yet"]
    assert ledger.why() == "nothing is published: no bundles have come yet"
    clock.trust = ClockTrust.UNTRUSTED
    ledger.look({"city-hall": ""}, 1, 0, "")
    assert said(capsys) == [
        "clock: untrusted",
        "policy: in force",
        "broker 'city-hall': connected",
        f"outbox: reads wait: {UNTRUSTED}",
    ]


def test_a_recipient_whom_the_broker_refuses_is_told_though_the_broker_is_connected(ledger, capsys):
    refused = "broker 'city-hall': did not take a read for 'exampleville-pd': Not authorized (135)"
    ledger.look({"city-hall": ""}, 1, 0, refused)
    assert said(capsys) == ["broker 'city-hall': connected", f"outbox: reads wait: {refused}"]


def test_a_link_that_flaps_does_not_wear_out_the_card(ledger, clock, monkeypatch):
    writes = []
    monkeypatch.setattr(link_ledger, "write_atomic", lambda *_: writes.append(clock.utc))
    for number in range(400):
        clock.advance(0.25)
        ledger.look({"city-hall": DOWN if number % 2 else ""}, 1, 0, "")
    assert len(writes) <= 100 / link_ledger.WRITE_EVERY_S + 1
    writes.clear()
    for _ in range(400):
        clock.advance(0.25)
        ledger.look({"city-hall": ""}, 0, 0, "")
    assert len(writes) == 1, "nothing changed: nothing is written"


def test_a_full_disk_is_told_and_tried_again(ledger, clock, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise StorageError("cannot write: the disk is full", where="links.json")

    with monkeypatch.context() as patched:
        patched.setattr(link_ledger, "write_atomic", full)
        ledger.look({"city-hall": ""}, 0, 0, "")
    assert "what status reads: links.json: cannot write: the disk is full" in said(capsys)
    clock.advance(60)
    ledger.look({"city-hall": ""}, 0, 0, "")
    assert written(tmp_path).links[0].broker == "city-hall"
    assert said(capsys) == ["what status reads: is written"]


def test_an_orderly_end_is_written(ledger, tmp_path):
    ledger.look({"city-hall": ""}, 0, 0, "")
    ledger.stop()
    assert not written(tmp_path).running
