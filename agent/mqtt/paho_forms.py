"""Between our values and paho's: properties, reasons, the length of a packet."""

import ssl
from functools import lru_cache
from typing import TYPE_CHECKING

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as Packed
from paho.mqtt.reasoncodes import ReasonCode

from agent.core.log.leaf import clean_text
from agent.mqtt.events import LONGEST_PACKET_BYTES, PACKET_TOO_LARGE, Connected, Properties, Session

if TYPE_CHECKING:
    from paho.mqtt.client import ConnectFlags

_MOST_IN_FLIGHT = 65_535

# Mosquitto answers what exceeds its `message_size_limit` with PUBACK 149, which MQTT does not allow
# there: paho would end the connection for one message, and the next one would bring it again.
ReasonCode.names = {
    **ReasonCode.names,
    PACKET_TOO_LARGE: {
        "Packet too large": [PacketTypes.CONNACK, PacketTypes.DISCONNECT, PacketTypes.PUBACK]
    },
}


def asked_properties(session: Session, max_packet_bytes: int) -> Packed:
    """Of our CONNECT."""
    asked = Packed(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own lack
    asked.SessionExpiryInterval = session.expiry_s
    asked.ReceiveMaximum = session.receive_maximum
    # an honest broker drops what is longer
    asked.MaximumPacketSize = max_packet_bytes
    return asked


def granted(session: Session, flags: "ConnectFlags", properties: Packed | None) -> Connected:
    """What a CONNACK grants; what it leaves out is as we asked, or as MQTT has it."""
    return Connected(
        flags.session_present,
        getattr(properties, "SessionExpiryInterval", session.expiry_s),
        getattr(properties, "MaximumPacketSize", LONGEST_PACKET_BYTES),
        getattr(properties, "ReceiveMaximum", _MOST_IN_FLIGHT),
    )


def published_properties(given: Properties, waited_s: float) -> tuple[Packed, int]:
    """Of a publication, and how many bytes they are. The time that it has waited is taken off its
    life.
    """
    expires_in_s = given.expires_in_s
    if expires_in_s is not None:
        expires_in_s = max(1, expires_in_s - int(waited_s))
    return _published(given.content_type, expires_in_s, given.user)


@lru_cache(64)  # publications of one second have equal ones, and paho takes its time to make them
def _published(
    content_type: str, expires_in_s: int | None, user: tuple[tuple[str, str], ...]
) -> tuple[Packed, int]:
    packed = Packed(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own lack
    if content_type:
        packed.ContentType = content_type
    if expires_in_s is not None:
        packed.MessageExpiryInterval = expires_in_s
    if user:
        packed.UserProperty = list(user)
    return packed, len(packed.pack())  # type: ignore[no-untyped-call] # paho's own lack


def packet_bytes(topic: str, payload: bytes, properties_bytes: int) -> int:
    """The length of a PUBLISH at QoS 1: header (a type, then the rest's length in up to four
    bytes), topic, packet id, properties, payload.
    """
    rest = 2 + len(topic.encode()) + 2 + properties_bytes + len(payload)
    return 1 + max(1, -(-rest.bit_length() // 7)) + rest


def words_of(code: ReasonCode, properties: Packed | None) -> str:
    """A reason as one line: its name, its number, and what the broker itself says."""
    said = getattr(properties, "ReasonString", "")
    return f"{code} ({code.value})" + (f": {clean_text(said)}" if said else "")


def system_words(error: Exception) -> str:
    """The system's words for an error, without the peer's."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or type(error).__name__})"
    if isinstance(error, TimeoutError):
        return "timed out"  # ssl's own words begin with a line of its source
    told = error.strerror if isinstance(error, OSError) else ""
    return (told or str(error) or type(error).__name__).lower()
