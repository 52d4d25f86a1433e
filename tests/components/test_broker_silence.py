"""A broker that has lost a camera's subscription says nothing: after a silence the camera
subscribes anew, and what has no receipt is sent again soon (P8). With a connection all
subscriptions go: on the next one the camera listens to the city's collector as before (P7).
"""

import time

import pytest

from agent.mqtt.topics import collected_topic, receipts_topic
from agent.network import broker_link
from tests.contracts.test_publisher import SOON
from tests.fakes.broker import FakeBroker
from tests.support.city_network import DEVICE, RECIPIENT, broker, publisher, send
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST

pytestmark = pytest.mark.broker

SILENCE_S, LONG_S, READ = 0.5, 20.0, "0" * 32
RECEIPTS, COLLECTED = receipts_topic(DEVICE), collected_topic(DEVICE)


@pytest.fixture
def server(ca):
    return ca.server(hosts=(HOST,))


@pytest.fixture
def fake(server, monkeypatch):
    monkeypatch.setattr(broker_link, "SILENCE_S", SILENCE_S)
    with FakeBroker(server) as made:
        yield made


@pytest.fixture
def sender(ca, server, fake):
    """Has sent a read, which the broker has acknowledged."""
    made = publisher(ca, broker(server, (ADDRESS, fake.port)))
    send(made, RECIPIENT, READ, b"wire", SOON)
    assert made.joined() == {RECIPIENT}
    yield made
    made.close()


class Heard:
    """What came for the camera, and whose reads are to be sent again."""

    def __init__(self) -> None:
        self.receipts, self.joined = [], set()


def went_on(sender, seconds, until=lambda _heard: False):
    """So long, or until something is so."""
    heard, end_s = Heard(), time.monotonic() + seconds
    while time.monotonic() < end_s and not until(heard):
        sender.collect(0.02)
        heard.receipts += sender.untrusted_receipts()
        heard.joined |= sender.joined()
    return heard


def subscriptions(fake):
    (session,) = fake.sessions.values()
    return session.topics


def test_a_camera_asks_for_its_answers_at_most_once(fake, sender):
    assert subscriptions(fake) == {RECEIPTS: 0}


def test_it_keeps_no_session_and_ends_the_one_of_an_earlier_version(fake, sender):
    (connect,) = fake.connects
    flags, properties = connect[7], connect[10:]
    assert flags & 0b10  # clean start
    assert b"\x11\0\0\0\0" in properties or b"\x11" not in properties  # expiry: 0, or not asked


def test_a_lost_subscription_is_made_anew_and_reads_are_due(fake, sender):
    fake.lose_subscriptions()
    fake.send(RECEIPTS, b"lost")
    heard = went_on(sender, LONG_S, lambda heard: heard.joined and subscriptions(fake))
    assert (heard.receipts, heard.joined) == ([], {RECIPIENT})
    assert subscriptions(fake) == {RECEIPTS: 0}
    fake.send(RECEIPTS, b"heard")
    assert went_on(sender, LONG_S, lambda heard: heard.receipts).receipts == [b"heard"]


def test_whose_reads_are_due_again_is_told_once_in_a_silence(fake, sender):
    went_on(sender, LONG_S, lambda heard: heard.joined)
    fake.lose_subscriptions()
    heard = went_on(sender, LONG_S, lambda _heard: subscriptions(fake))
    assert subscriptions(fake) == {RECEIPTS: 0}  # the second time
    assert heard.joined == set()


def test_silences_grow_and_a_receipt_ends_them(fake, sender):
    waits = []
    for _ in range(3):
        fake.lose_subscriptions()
        began_s = time.monotonic()
        went_on(sender, LONG_S, lambda _heard: subscriptions(fake))
        waits.append(time.monotonic() - began_s)
    assert waits[1] > 1.5 * SILENCE_S
    assert waits[2] > 3 * SILENCE_S
    fake.send(RECEIPTS, b"heard")
    went_on(sender, LONG_S, lambda heard: heard.receipts)
    fake.lose_subscriptions()
    assert went_on(sender, 3 * SILENCE_S).joined == set()  # nothing is owed
    assert not subscriptions(fake)
    send(sender, RECIPIENT, "1" * 32, b"wire", SOON)
    began_s = time.monotonic()
    assert went_on(sender, LONG_S, lambda heard: heard.joined).joined == {RECIPIENT}
    assert time.monotonic() - began_s < 3 * SILENCE_S


def test_the_collectors_answers_are_asked_for_again_too(fake, sender):
    assert sender.post(b"checkpoint")
    went_on(sender, LONG_S, lambda _heard: COLLECTED in subscriptions(fake))
    went_on(sender, 0.1)  # the broker's answer to that
    fake.lose_subscriptions()
    went_on(sender, LONG_S, lambda _heard: COLLECTED in subscriptions(fake))
    assert subscriptions(fake) == {RECEIPTS: 0, COLLECTED: 0}
    fake.send(COLLECTED, b"answer")
    answers = []
    went_on(sender, LONG_S, lambda _heard: answers.extend(sender.untrusted_answers()) or answers)
    assert answers == [b"answer"]


def ended(fake, sender, connects):
    """The broker ends the connection; the camera comes back, and its so manieth one holds."""
    fake.hang_up()
    went_on(sender, LONG_S, lambda _heard: len(fake.connects) >= connects)
    went_on(sender, 1.5)
    assert len(fake.connects) == connects


def listening(fake, sender):
    """A checkpoint is taken, and the camera asks for what the collector says."""
    assert sender.post(b"checkpoint")
    went_on(sender, LONG_S, lambda _heard: COLLECTED in subscriptions(fake))
    went_on(sender, 0.1)


def test_the_collector_is_listened_to_on_the_next_connection_without_another_checkpoint(
    fake, sender
):
    """It answers once a day; a camera that posts six hours later would not hear it."""
    listening(fake, sender)
    for connects in (2, 3):
        ended(fake, sender, connects)
        assert subscriptions(fake) == {RECEIPTS: 0, COLLECTED: 0}


def test_it_is_not_asked_for_before_a_checkpoint_was_taken(fake, sender):
    ended(fake, sender, 2)
    assert subscriptions(fake) == {RECEIPTS: 0}


def test_a_broker_that_hangs_up_on_whoever_asks_for_it_keeps_the_next_connection(fake, sender):
    """Its access list is another one since. Reads come first."""
    listening(fake, sender)
    fake.unreadable = COLLECTED
    ended(fake, sender, 3)
    assert (subscriptions(fake), sender.troubles()) == ({RECEIPTS: 0}, [])


def test_a_connection_that_ends_as_it_is_asked_for_does_not_end_the_asking(fake, sender):
    listening(fake, sender)
    fake.unreadable = COLLECTED
    ended(fake, sender, 3)
    fake.unreadable = ""
    listening(fake, sender)
    ended(fake, sender, 4)
    assert subscriptions(fake) == {RECEIPTS: 0, COLLECTED: 0}


def test_where_it_was_never_granted_it_is_asked_for_once(fake, sender):
    fake.unreadable = COLLECTED
    assert sender.post(b"checkpoint")
    went_on(sender, LONG_S, lambda _heard: len(fake.connects) == 2)
    fake.unreadable = ""
    went_on(sender, 1.5)
    assert sender.post(b"checkpoint")
    went_on(sender, 0.5)
    assert (len(fake.connects), subscriptions(fake)) == (2, {RECEIPTS: 0})
