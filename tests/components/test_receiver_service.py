"""The receiver's run loop over a fake connection: what is acknowledged when, and what is destroyed
when.
"""

import os
from contextlib import closing, contextmanager
from datetime import timedelta
from zlib import crc32

import pytest

from agent.core.time.instant import ClockTrust
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import (
    DestinationRefusedError,
    NetworkError,
    PlatewardenError,
    StorageError,
    StoreAwayError,
)
from agent.mqtt.events import Received
from agent.mqtt.proxy import refuse_proxy
from agent.receiver import service as service_module
from agent.receiver.connection import Lost, Refused, Subscribed
from agent.receiver.intake import Intake, Taken
from agent.receiver.service import HOUSEKEEPING_S, Service, Voice
from tests.fakes.clock import FakeClock
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, RECIPIENT


class FakeConnection:
    """Plays events in order, then stops the service. `done`: what was asked of it, in order."""

    def __init__(self, events):
        self.events, self.done, self.service = list(events), [], None
        self.holding = False

    def open(self):
        self.done.append("open")

    def next(self, _timeout_s):
        if not self.events:
            self.service.stop()
            return None
        event = self.events.pop(0)
        return event() if callable(event) else event

    def more(self):
        """Whatever else has come already: the messages at the front."""
        found = []
        while self.events and isinstance(self.events[0], Received):
            found.append(self.events.pop(0))
        return found

    def acknowledge(self, message):
        assert self.holding
        self.done.append(("acknowledge", message.packet_id))

    @contextmanager
    def together(self):
        self.holding = True
        yield
        self.holding = False

    def publish_receipt(self, device, receipt):
        assert self.holding
        self.done.append(("receipt", device))

    def drop(self):
        self.done.append("drop")

    def close(self):
        self.done.append("close")


class FakeIntake:
    def __init__(self, taken, seat=(0, 1)):
        self.taken, self.seat = taken, seat

    def take_all(self, wires, _now):
        if isinstance(self.taken, Exception):
            raise self.taken
        return [self.taken for _ in wires]

    def settle(self, _now_s):
        pass

    def place(self):
        return self.seat

    def left_untold(self):
        return []

    def told(self, all_taken):
        pass

    def write_dropped(self):
        pass


class FakeHousekeeping:
    def __init__(self):
        self.at = []

    def tidy(self, now):
        self.at.append(now.utc)
        return []


def message(number=1, wire=b"x"):
    return Received("platewarden/1/reads/x", wire, number, 1, 1)


def build(events, taken=None, clock=None):
    connection, housekeeping, said = FakeConnection(events), FakeHousekeeping(), []
    service = Service(
        connection,
        FakeIntake(taken),
        housekeeping,
        clock or FakeClock(CAPTURED),
        Voice(said.append, said.append),
    )
    connection.service = service
    return service, connection, housekeeping, said


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A real intake's answer to a sound read."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    enrolled = Enrolled(tmp_path / "r")
    store = enrolled.place.store()
    intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
    taken = intake.take(enrolled.seal().wire, enrolled.now)
    store.close()
    return taken


def test_junk_is_written_once_a_minute_and_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    enrolled, clock, written = Enrolled(tmp_path / "r"), FakeClock(CAPTURED), []
    with closing(enrolled.place.store()) as store:
        monkeypatch.setattr(
            store, "count_dropped", lambda *dropped: written.append((*dropped, clock.elapsed_s))
        )
        intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
        junk, later = message(1, b"junk"), lambda: clock.advance(1) or message(1, b"junk")
        connection = FakeConnection([junk, *[later] * 130, message(1, enrolled.seal().wire)])
        service = Service(
            connection, intake, FakeHousekeeping(), clock, Voice(lambda _: None, lambda _: None)
        )
        connection.service = service
        service.run(lambda: "READY")
        start = clock.elapsed_s - 130
        assert [(reason, messages, at - start) for reason, messages, at in written] == [
            ("malformed", 1, 0),
            ("malformed", 60, 60),
            ("malformed", 60, 120),
            ("malformed", 10, 130),
        ]


def test_the_receipt_goes_out_before_the_acknowledgement(stored):
    service, connection, _, said = build([message(7)], stored)
    service.run(lambda: "READY")
    assert connection.done == ["open", ("receipt", stored.tags.device), ("acknowledge", 7), "close"]
    assert said == ["READY", stored]


def test_a_read_of_an_unknown_version_is_answered_too():
    read = EnvelopeMinimum(9, "ab" * 16, "cam-9", RECIPIENT)
    taken = Taken("rejected:unsupported-version", read, b"receipt")
    service, connection, _, _ = build([message(7)], taken)
    service.run(lambda: "READY")
    assert connection.done == ["open", ("receipt", "cam-9"), ("acknowledge", 7), "close"]


def test_what_nobody_signed_is_acknowledged_without_a_receipt():
    service, connection, _, _ = build([message(7)], Taken("dropped:malformed"))
    service.run(lambda: "READY")
    assert connection.done == ["open", ("acknowledge", 7), "close"]


def test_a_fault_of_this_machine_acknowledges_nothing():
    service, connection, _, _ = build([message(7)], StorageError("full"))
    with pytest.raises(StorageError):
        service.run(lambda: "READY")
    assert connection.done == ["open", "close"]


def test_what_came_together_is_taken_together_its_receipts_before_its_acknowledgements(stored):
    lost = Lost("broken pipe")
    service, connection, _, said = build([message(7), message(8), lost, message(9)], stored)
    groups = []
    taken_in = service._intake.take_all
    service._intake.take_all = lambda wires, now: groups.append(len(wires)) or taken_in(wires, now)
    service.run(lambda: "READY")
    receipt = ("receipt", stored.tags.device)
    first = [receipt, receipt, ("acknowledge", 7), ("acknowledge", 8)]
    assert connection.done == ["open", *first, receipt, ("acknowledge", 9), "close"]
    assert (groups, said.count(stored)) == ([2, 1], 3)


def of_seat(seat, seats, count):
    """That many messages whose turn it is."""
    found = [message(number, bytes([number])) for number in range(200)]
    return [one for one in found if crc32(one.untrusted_payload) % seats == seat][:count]


def groups_of(service):
    groups, honest = [], service._intake.take_all

    def take_all(wires, now):
        groups.append(list(wires))
        return honest(wires, now)

    service._intake.take_all = take_all
    return groups


def payloads(*messages):
    return [one.untrusted_payload for one in messages]


def test_of_two_receivers_each_takes_its_half_first_and_the_others_behind_it(stored):
    (mine, more), (other, last) = of_seat(1, 2, 2), of_seat(0, 2, 2)
    service, connection, _, _ = build([other, mine, last, Lost("away"), more], stored)
    service._intake.seat = (1, 2)
    groups = groups_of(service)
    service.run(lambda: "READY")
    # `more` comes while the first two still stand behind
    assert groups == [payloads(mine), payloads(more, other, last)]
    numbers = [step[1] for step in connection.done if step[0] == "acknowledge"]
    assert sorted(numbers) == sorted(one.packet_id for one in (mine, more, other, last))


def test_what_nobody_else_took_is_taken_when_nothing_more_comes(stored):
    (other,) = of_seat(0, 2, 1)
    (mine,) = of_seat(1, 2, 1)
    service, connection, _, _ = build([other, lambda: None, mine], stored)
    service._intake.seat = (1, 2)
    groups = groups_of(service)
    asked = []
    honest = connection.next
    connection.next = lambda timeout_s: asked.append(timeout_s) or honest(timeout_s)
    service.run(lambda: "READY")
    assert groups == [payloads(other), payloads(mine)]
    assert asked[:3] == [service_module._POLL_S, service_module._BEHIND_S, service_module._POLL_S]


def test_what_stands_behind_is_finished_before_the_end(stored):
    (other,) = of_seat(0, 2, 1)
    service, connection, _, _ = build([other], stored)
    service._intake.seat = (1, 2)
    honest = connection.next

    def stopped(timeout_s):
        service.stop()
        return honest(timeout_s)

    connection.next = stopped
    service.run(lambda: "READY")
    assert connection.done == [
        "open",
        ("receipt", stored.tags.device),
        ("acknowledge", other.packet_id),
        "close",
    ]


def test_what_stands_behind_comes_again_after_the_store_was_away(stored):
    (other,) = of_seat(0, 2, 1)
    (mine,) = of_seat(1, 2, 1)
    service, connection, _, _ = build([other, mine], stored)
    service._intake = AwayIntake(stored)
    service._intake.seat = (1, 2)
    service.run(lambda: "READY")
    assert connection.done == ["open", "drop", "close"]


def test_one_that_cannot_be_taken_in_keeps_none_back_that_came_before_it(stored):
    service, connection, _, _ = build([message(7), message(8, b"fault"), message(9)])

    def take_all(wires, _now):
        if b"fault" in wires:
            raise StorageError("full")
        return [stored for _ in wires]

    service._intake.take_all = take_all
    with pytest.raises(StorageError):
        service.run(lambda: "READY")
    assert connection.done == [
        "open",
        ("receipt", stored.tags.device),
        ("acknowledge", 7),
        "close",
    ]


def test_a_refusing_broker_ends_it():
    service, connection, _, _ = build([Refused("a receipt: Not authorized")])
    with pytest.raises(NetworkError, match="Not authorized"):
        service.run(lambda: "READY")
    assert connection.done == ["open", "close"]


def test_losing_the_connection_is_told_and_waited_out():
    service, _, _, said = build([Lost("broken pipe"), Subscribed()])
    service.run(lambda: "READY")
    assert said == ["READY", "connection lost: broken pipe; trying again", "connected again"]


def test_housekeeping_at_the_start_and_every_hour():
    clock = FakeClock(CAPTURED)
    wait = [lambda: clock.advance(HOUSEKEEPING_S / 2)] * 5
    service, _, housekeeping, _ = build(wait, clock=clock)
    service.run(lambda: "READY")
    assert housekeeping.at == [CAPTURED + timedelta(seconds=HOUSEKEEPING_S) * n for n in range(3)]


def test_a_clock_that_is_surely_wrong_decides_nothing():
    service, connection, housekeeping, _ = build(
        [message()], clock=FakeClock(CAPTURED, ClockTrust.UNTRUSTED)
    )
    with pytest.raises(PlatewardenError, match="clock"):
        service.run(lambda: "READY")
    assert (connection.done, housekeeping.at) == ([], [])


@pytest.mark.parametrize("name", ["mqtt_proxy", "MQTT_PROXY", "Mqtt_Proxy"])
def test_a_proxy_is_refused_in_any_spelling(name):
    with pytest.raises(DestinationRefusedError, match=name):
        refuse_proxy({name: ""})
    refuse_proxy({"no_proxy": "x", "http_proxy": "y"})  # paho looks at none of these


def test_a_stop_is_noticed_within_a_second():
    assert service_module._POLL_S <= 1


class AwayIntake(FakeIntake):
    """Its store is away, and answers at the third question."""

    def __init__(self, taken, away=2):
        super().__init__(taken)
        self.away, self.told_of = away, []

    def take_all(self, wires, now):
        self.reach_store(0)
        return super().take_all(wires, now)

    def reach_store(self, less=1):
        if self.away > 0:
            self.away -= less
            raise StoreAwayError("does not answer", where="the store")

    def told(self, all_taken):
        self.told_of += [taken.tags.read_id for taken in all_taken]


def test_while_the_store_is_away_nothing_is_receipted_and_the_connection_waits(stored):
    service, connection, _, said = build([message(1), message(2), lambda: message(1)], stored)
    service._intake = AwayIntake(stored)
    service.run(lambda: "READY")
    assert connection.done == [
        *("open", "drop"),  # both messages come again on the next connection; here one does
        ("receipt", stored.tags.device),
        ("acknowledge", 1),
        "close",
    ]
    assert said == [
        *("READY", "the store: does not answer; trying again", "the store answers again"),
        stored,
    ]
    assert service._clock.elapsed_s == 1000 + 1 + 2 + 4  # growing pauses
    assert service._intake.told_of == [stored.tags.read_id]


def test_a_stop_does_not_wait_for_a_store_that_is_away(stored):
    service, connection, *_ = build([message(1)], stored)
    service._intake = AwayIntake(stored, away=1_000_000)
    slept = service._clock.slept
    service._clock.sleep = lambda seconds: slept.append(seconds) or service.stop()
    service.run(lambda: "READY")
    assert (connection.done, slept) == (["open", "drop", "close"], [0.5])


def test_what_a_receiver_left_untold_is_told_at_the_next_start_and_not_again(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    enrolled = Enrolled(tmp_path / "r")

    def run(*messages):
        with closing(enrolled.place.store()) as store:
            intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
            connection, said = FakeConnection(messages), []
            voice = Voice(lambda _: None, said.append)
            clock = FakeClock(enrolled.now.utc)
            service = Service(connection, intake, FakeHousekeeping(), clock, voice)
            connection.service = service
            if messages:
                monkeypatch.setattr(service, "_voice", Voice(lambda _: None, die))
            service.run(lambda: "READY")
            return said, connection.done

    def die(_taken):
        raise KeyboardInterrupt

    read = enrolled.seal()
    with pytest.raises(KeyboardInterrupt):  # receipted and acknowledged, and nobody knows
        run(message(1, read.wire))
    said, done = run()
    assert [(taken.outcome, taken.tags, taken.new, taken.receipt) for taken in said] == [
        ("stored", read.tags, True, None)
    ]
    assert done == ["open", "close"]
    assert run()[0] == []


def test_an_untold_read_that_cannot_be_told_keeps_no_other_back(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    enrolled = Enrolled(tmp_path / "r")
    with closing(enrolled.place.store()) as store:
        intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
        reads = [enrolled.seal() for _ in range(3)]
        intake.take_all([read.wire for read in reads], enrolled.now)
        files = [tmp_path / "r/store" / f"{one.device}.{one.read_id}.sealed"
                 for one in (read.tags for read in reads)]  # fmt: skip
        files[0].unlink()
        files[1].write_bytes(b"altered")
        assert [taken.tags for taken in intake.left_untold()] == [reads[2].tags]
        assert [row.read_id for row in store.untold()] == [reads[2].tags.read_id]
