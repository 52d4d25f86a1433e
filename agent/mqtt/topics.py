"""What camera and recipient agree on beside the sealed bytes: topics, content type, room for a
packet (docs/ref/sealed-read.md).
"""

from agent.core.wire.sealed_read import CONTENT_TYPE
from agent.mqtt.events import Properties

PACKET_OVERHEAD_BYTES = 1024
"""Room for the topic and the properties around a payload of the greatest size."""
CHECKPOINT_EXPIRY_S = 7 * 86_400
_LONGEST_EXPIRY_S = 0xFFFFFFFF  # MQTT's, four bytes


def reads_topic(recipient: str) -> str:
    """Where sealed reads for a recipient go."""
    return f"platewarden/1/reads/{recipient}"


def receipts_topic(device: str) -> str:
    """Where recipients answer a camera."""
    return f"platewarden/1/receipts/{device}"


def checkpoints_topic(device: str) -> str:
    """Where a camera tells its city how far its logs have come."""
    return f"platewarden/1/checkpoints/{device}"


def collected_topic(device: str) -> str:
    """Where the city's collector answers it."""
    return f"platewarden/1/collected/{device}"


def health_topic(device: str) -> str:
    """Where a camera tells its city how it is, in coarse numbers."""
    return f"platewarden/1/health/{device}"


def discovery_topic(device: str) -> str:
    """Where Home Assistant looks for a camera, where its owner wants that."""
    return f"homeassistant/device/platewarden-{device}/config"


def discovery_properties() -> Properties:
    """Of what is told there: kept for whoever starts later, and gone a week after the camera is."""
    return Properties("application/json", CHECKPOINT_EXPIRY_S, retained=True)


def checkpoint_properties() -> Properties:
    """Of a checkpoint, of the answer to one, and of a health message: the broker keeps it for a
    week at most, however long nobody comes for it.
    """
    return Properties("text/plain; charset=utf-8", CHECKPOINT_EXPIRY_S)


def read_properties(expires_in_s: int) -> Properties:
    """Of a sealed read that expires then; one that has expired already gets a last second."""
    return Properties(CONTENT_TYPE, max(1, min(expires_in_s, _LONGEST_EXPIRY_S)))
