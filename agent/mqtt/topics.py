"""What camera and recipient agree on beside the sealed bytes: topics, content type, room for a
packet (docs/ref/sealed-read.md).
"""

from agent.core.wire.sealed_read import CONTENT_TYPE
from agent.mqtt.events import Properties

PACKET_OVERHEAD_BYTES = 1024
"""Room for the topic and the properties around a payload of the greatest size."""
_LONGEST_EXPIRY_S = 0xFFFFFFFF  # MQTT's, four bytes


def reads_topic(recipient: str) -> str:
    """Where sealed reads for a recipient go."""
    return f"platewarden/1/reads/{recipient}"


def receipts_topic(device: str) -> str:
    """Where recipients answer a camera."""
    return f"platewarden/1/receipts/{device}"


def read_properties(expires_in_s: int) -> Properties:
    """Of a sealed read that expires then; one that has expired already gets a last second."""
    return Properties(CONTENT_TYPE, max(1, min(expires_in_s, _LONGEST_EXPIRY_S)))
