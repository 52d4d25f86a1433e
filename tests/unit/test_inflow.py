"""What the bounded socket sees in MQTT's bytes: where a packet begins and ends, what it weighs, and
that nothing to which we subscribe comes at QoS 2.
"""

import pytest

from agent.mqtt.pinned_tls import Inflow
from tests.support.hostile import publish


@pytest.mark.parametrize(("qos", "beyond"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_message_beyond_qos_1_is_noticed_at_its_first_byte(qos, beyond) -> None:
    inflow = Inflow()
    for byte in publish("a/topic", b"payload", 7, qos)[:1]:
        inflow.feed(bytes([byte]), 0.0)
    assert inflow.beyond_qos_1 is beyond


def test_a_message_beyond_qos_1_stays_noticed() -> None:
    inflow = Inflow()
    inflow.feed(b"\xd0\x00" + publish("a", b"", 7, 2) + b"\xd0\x00", 0.0)
    assert inflow.beyond_qos_1


@pytest.mark.parametrize("kind", [kind for kind in range(16) if kind != 3])
def test_no_other_packet_is_a_message_whatever_its_flags(kind) -> None:
    inflow = Inflow()
    inflow.feed(bytes([kind << 4 | 0xF, 0x34]) + bytes(0x34), 0.0)  # a length like a PUBLISH
    assert (inflow.beyond_qos_1, inflow.unanswered_bytes, inflow.packet_bytes) == (False, 0, 54)


@pytest.mark.parametrize("first", [0x30, 0x31, 0x32, 0x33, 0x38, 0x3A, 0x3B])
@pytest.mark.parametrize("length", [4, 6, 0x34])
def test_neither_other_flags_nor_a_length_is_a_quality_of_service(first, length) -> None:
    inflow = Inflow()
    inflow.feed(bytes([first, length]) + bytes(length), 0.0)
    assert (inflow.beyond_qos_1, inflow.unanswered_bytes) == (False, 2 + length)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xff\x7f", 16_383),
        (b"\x80\x80\x01", 16_384),
        (b"\xff\xff\x7f", 2_097_151),
        (b"\xff\xff\xff\x7f", 268_435_455),
    ],
)
def test_lengths_as_mqtt_writes_them(written, length) -> None:
    inflow, header = Inflow(), b"\x30" + written
    for number, byte in enumerate(header):
        inflow.feed(bytes([byte]), float(number))
        assert inflow.packet_bytes == (len(header) + length if number == len(written) else 0)
    assert inflow.unanswered_bytes == len(header)
    assert inflow.began_s == (None if length == 0 else 0.0)
    if 0 < length < 20_000:
        inflow.feed(b"x" * (length - 1), 8.0)
        assert inflow.began_s == 0.0
        inflow.feed(b"x\xd0", 9.0)
        assert (inflow.unanswered_bytes, inflow.began_s) == (len(header) + length, 9.0)


def test_a_length_that_does_not_end_has_four_bytes_and_no_more() -> None:
    inflow = Inflow()
    inflow.feed(b"\x32" + b"\xff" * 5, 1.0)
    assert (inflow.packet_bytes, inflow.unanswered_bytes) == (5 + 268_435_455, 6)
