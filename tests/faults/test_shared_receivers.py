"""Two real receivers on one PostgreSQL and a real Mosquitto: killed, stopped, cut off, they store
each read once, tell it, receipt it, and lose none.
"""

import json
import queue
import signal
import time
from collections import Counter

import pytest

from agent.receiver.connection import MAX_UNACKNOWLEDGED
from tests.support.postgresql import Postgresql
from tests.support.shared_receivers import SharedReceivers

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

ROUNDS, READS_A_ROUND, ROUND_S = 8, 25, 3.0
WAIT_S = 120.0


class Sent:
    """A camera's reads: sent again until they are receipted, as deliver does."""

    def __init__(self, city):
        self.city, self.camera = city, city.camera()
        self.reads, self.receipts = {}, Counter()

    def send(self, number):
        for _ in range(number):
            read = self.city.enrolled.seal()
            self.reads[read.tags.read_id] = read
            self.camera.publish(read.wire)

    def look(self, seconds=0.1):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                wire = self.camera._receipts.get(timeout=left)
            except queue.Empty:
                return
            receipt = self.camera._verifier.verify(wire)
            assert receipt.outcome == "stored"
            self.receipts[receipt.read_id] += 1

    def await_all(self):
        end = time.monotonic() + WAIT_S
        while self.reads.keys() - self.receipts.keys():
            assert time.monotonic() < end, f"{len(self.receipts)} of {len(self.reads)} receipted"
            self.look(5)
            for read_id in self.reads.keys() - self.receipts.keys():
                self.camera.publish(self.reads[read_id].wire)


def told(*receivers):
    """How often each read was told on stdout."""
    counted = Counter()
    for receiver in receivers:
        while not receiver._lines.empty():
            counted[json.loads(receiver._lines.get())["read"]] += 1
    return counted


@pytest.fixture
def city(tmp_path, postgresql):
    url = postgresql.url()
    with SharedReceivers(tmp_path, url) as city:
        city.url = url
        yield city


def stored(city, postgresql):
    rows = postgresql.ask(city.url, "SELECT read_id, count(*) FROM reads GROUP BY read_id")
    return dict(rows)


def left_to_tell(city, postgresql):
    return postgresql.ask(city.url, "SELECT count(*) FROM to_tell")[0][0]


def test_one_of_two_is_killed_again_and_again(city, postgresql):
    sent, all_started = Sent(city), [city.start(0), city.start(1)]
    running = list(all_started)
    for one in running:
        one.wait_ready()
    for number in range(ROUNDS):
        victim = number % 2
        sent.send(READS_A_ROUND)
        running[victim].kill()
        sent.send(READS_A_ROUND)
        running[victim] = city.start(victim)
        all_started.append(running[victim])
        sent.look(ROUND_S)
    sent.await_all()
    # What the dead left to tell is told within half a minute, also what they had told already: one
    # that is killed between its line and the commit leaves the row.
    end = time.monotonic() + WAIT_S
    while left_to_tell(city, postgresql) and time.monotonic() < end:
        time.sleep(1)
    assert [one.stop() for one in running] == [0, 0]
    counted = told(*all_started)
    assert stored(city, postgresql) == dict.fromkeys(sent.reads, 1)
    assert counted.keys() == sent.reads.keys()
    assert (
        sum(counted.values()) - len(counted) <= MAX_UNACKNOWLEDGED * ROUNDS
    )  # a batch for each kill, at most
    assert postgresql.ask(city.url, "SELECT count(*) FROM twice") == [(0,)]
    assert left_to_tell(city, postgresql) == 0
    sent.camera.close()


def test_each_read_is_told_by_one_of_two_and_receipted_by_both(city, postgresql):
    sent, receivers = Sent(city), [city.start(0).wait_ready(), city.start(1).wait_ready()]
    sent.send(40)
    end = time.monotonic() + WAIT_S
    while sum(sent.receipts.values()) < 80 and time.monotonic() < end:
        sent.look(1)
    assert sent.receipts == dict.fromkeys(sent.reads, 2)
    assert [one.stop() for one in receivers] == [0, 0]
    assert told(*receivers) == dict.fromkeys(sent.reads, 1)
    assert stored(city, postgresql) == dict.fromkeys(sent.reads, 1)
    sent.camera.close()


def test_one_that_stands_still_holds_up_nothing(city, postgresql):
    sent, receivers = Sent(city), [city.start(0).wait_ready(), city.start(1).wait_ready()]
    sent.send(20)
    receivers[0].process.send_signal(signal.SIGSTOP)
    sent.send(20)
    sent.await_all()
    receivers[0].process.send_signal(signal.SIGCONT)
    assert [one.stop() for one in receivers] == [0, 0]
    assert stored(city, postgresql) == dict.fromkeys(sent.reads, 1)
    sent.camera.close()


def test_without_its_store_it_gives_no_receipt_says_so_once_and_goes_on_when_it_is_back(tmp_path):
    with Postgresql() as server, SharedReceivers(tmp_path, server.url()) as city:
        sent, receiver = Sent(city), city.start(0).wait_ready()
        server.stop()
        sent.send(10)
        receiver.complaint("the PostgreSQL store: does not answer: ")
        sent.look(2)
        assert not sent.receipts
        server.start()
        receiver.complaint("the store answers again")
        while sent.reads.keys() - sent.receipts.keys():
            sent.look(60)  # nobody sends again: the broker kept them
        assert receiver.stop() == 0
        assert sum("does not answer" in line for line in receiver.said) == 1
        assert told(receiver) == dict.fromkeys(sent.reads, 1)
        sent.camera.close()
