"""The receiver's connection over a broker in a thread: what refusals mean, several addresses, the
session time that is granted.
"""

import time

import pytest

from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.errors import ConfigError
from agent.mqtt.events import Received
from agent.mqtt.pinned_tls import MAX_UNANSWERED_BYTES
from agent.mqtt.topics import PACKET_OVERHEAD_BYTES
from agent.receiver import receiver_settings
from agent.receiver.connection import (
    MAX_UNACKNOWLEDGED,
    Connection,
    Lost,
    Notice,
    Refused,
    Subscribed,
)
from agent.receiver.receiver_settings import BrokerSettings
from tests.fakes import broker as fake
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST
from tests.support.sealed import RECIPIENT

pytestmark = pytest.mark.broker
RECEIPTS = "platewarden/1/receipts/cam-7"


def opened(ca, port, **where) -> Connection:
    where = where or {"address": ADDRESS}
    link = Connection(
        ca.folder, BrokerSettings(host=HOST, port=port, ca=ca.pem, **where), RECIPIENT
    )
    link.open()
    return link


def events(link, seconds=1.0, until=object) -> list:
    found, end_s = [], time.monotonic() + seconds
    while time.monotonic() < end_s:
        if (event := link.next(0.05)) is not None:
            found.append(event)
            if type(event) is until:
                break
    return found


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(0x80, Notice), (0x83, Notice), (0x97, Notice), (0x87, Refused), (0x90, Refused),
     (0x99, Refused)],
)  # fmt: skip
def test_a_refused_receipt_ends_the_receiver_only_where_a_person_must_act(
    ca, monkeypatch, reason, kind
) -> None:
    monkeypatch.setattr(fake, "NOT_AUTHORIZED", reason)
    with fake.FakeBroker(ca.server(), denied=(RECEIPTS,), says="so it is") as broker:
        link = opened(ca, broker.port)
        for _ in range(3):
            link.publish_receipt("cam-7", b"receipt")
        found = events(link, 3.0, until=Refused)
        assert {type(event) for event in found} == {kind}
        if kind is Notice:
            assert len(found) == 1
            assert "so it is" in found[0].words
        link.close()


def test_the_next_address_is_tried_at_the_start_and_after_a_loss(ca) -> None:
    with fake.FakeBroker(ca.server(hosts=(HOST,)), session_expiry_s=60) as broker:
        link = opened(ca, broker.port, addresses=["127.0.0.3", ADDRESS])
        assert link.where == f"{ADDRESS}:{broker.port}"
        (notice,) = events(link, 0.5)
        assert "keeps reads for us for 60 s only" in notice.words
        assert "not for 30 days" in notice.words
        link.close()


def test_taken_over_is_told_only_when_the_broker_says_so(ca) -> None:
    with fake.FakeBroker(ca.server()) as broker:
        link = opened(ca, broker.port)
        for reason, kind in ((0x8B, Lost), (0x8E, Refused)):
            broker.farewell = (reason, "")
            link.publish_receipt("cam-7", b"receipt")
            found = [e for e in events(link, 15.0, until=kind) if isinstance(e, Lost | Refused)]
            assert ("another receiver" in found[-1].why) == (reason == 0x8E)
        link.close()


def test_more_gives_the_messages_at_the_front_and_nothing_behind_another_event(ca) -> None:
    with fake.FakeBroker(ca.server()) as broker:
        link = opened(ca, broker.port)
        count = MAX_UNACKNOWLEDGED + 5
        messages = [Received("t", b"x", number, 1, 1, 9) for number in range(count)]
        link._events.extend([*messages, Lost("away"), messages[0]])
        assert link.more() == messages[:MAX_UNACKNOWLEDGED]
        assert link.more() == messages[MAX_UNACKNOWLEDGED:]
        assert link.more() == []
        assert isinstance(link.next(0), Lost)
        assert link.more() == messages[:1]
        link.close()


@pytest.mark.parametrize("text", ["", 'address = "203.0.113.1"\naddresses = ["203.0.113.2"]\n'])
def test_address_or_addresses_and_not_both(tmp_path, text) -> None:
    (tmp_path / "receiver.toml").write_text(
        f'recipient = "exampleville-pd"\n[broker]\nhost = "h.example"\nca = "ca.pem"\n{text}'
    )
    with pytest.raises(ConfigError, match="address or addresses, and not both"):
        receiver_settings.load(tmp_path)


@pytest.mark.parametrize("shown", ["expired", "unnamed"])
def test_a_certificate_that_is_refused_later_on_ends_no_receiver(ca, monkeypatch, shown) -> None:
    """Whoever stands on the way can show one, once."""
    monkeypatch.setattr("agent.receiver.connection.FIRST_PAUSE_S", 0.05)
    other = (
        ca.server("expired", days=(-9, -1)) if shown == "expired" else ca.server("x", hosts=("x",))
    )
    right = ca.server()
    with fake.FakeBroker(right) as broker:
        link, port = opened(ca, broker.port), broker.port
    with fake.FakeBroker(other, port=port) as broker:
        found = [events(link, 5.0, until=Lost)[-1] for _ in range(2)]
        assert "certificate is not acceptable" in found[-1].why
        assert broker.connects == []
    with fake.FakeBroker(right, port=port):
        assert isinstance(events(link, 10.0, until=Subscribed)[-1], Subscribed)
        link.close()


def test_what_waits_for_our_acknowledgement_wears_no_connection_out() -> None:
    """The longest reads, as many as the broker may send before we answer."""
    whole = MAX_UNACKNOWLEDGED * (MAX_WIRE_BYTES + PACKET_OVERHEAD_BYTES)
    assert whole <= MAX_UNANSWERED_BYTES
