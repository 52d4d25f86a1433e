"""What the bounded socket sees in MQTT's bytes: nothing that we subscribe to comes at QoS 2."""

import pytest

from agent.mqtt.pinned_tls import Inflow
from tests.support.hostile import publish


@pytest.mark.parametrize(("qos", "beyond"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_message_beyond_qos_1_is_noticed_at_its_first_byte(qos, beyond) -> None:
    inflow = Inflow()
    for byte in publish("a/topic", b"payload", 7, qos)[:1]:
        inflow.feed(bytes([byte]), 0.0)
    assert inflow.beyond_qos_1 is beyond
