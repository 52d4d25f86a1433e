"""What a driver is given and what it reports, as values: no type of paho's leaves it."""

from agent.values import dataclass

FIRST_FAILURE = 0x80  # MQTT 5: reason codes from here on say no
UNSPECIFIED, KEEP_ALIVE_TIMEOUT, SESSION_TAKEN_OVER, PACKET_TOO_LARGE = 0x80, 0x8D, 0x8E, 0x95
NOT_AUTHORIZED, TOPIC_NAME_INVALID, PAYLOAD_FORMAT_INVALID = 0x87, 0x90, 0x99
CLIENT_ID_NOT_VALID = 0x85
SPECIFIC, SERVER_UNAVAILABLE, SERVER_BUSY, QUOTA_EXCEEDED = 0x83, 0x88, 0x89, 0x97
CONNECTION_RATE_EXCEEDED, LONGEST_PACKET_BYTES = 0x9F, 268_435_460


@dataclass(frozen=True, slots=True)
class Session:
    """Who we are at a broker, and the bounds of one connection.

    `expiry_s`: how long it shall keep our session while we are away; `receive_maximum`: how many
    messages it may send unacknowledged.

    `by_hand`: the caller acknowledges each message; else it is done on arrival. `max_in_flight`,
    `max_queued`: publications that wait for an answer, and all that wait. `connect_timeout_s`: TCP,
    then TLS; `answer_timeout_s`: to CONNECT and SUBSCRIBE.
    """

    client_id: str
    expiry_s: int = 0
    clean_start: bool = False
    keepalive_s: int = 30
    receive_maximum: int = 16
    by_hand: bool = False
    max_in_flight: int = 1
    max_queued: int = 1
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Properties:
    """Of one publication.

    `expires_in_s`: from now on; None: never. `user`: MQTT's user properties, in order. `retained`:
    the broker keeps the newest for whoever comes later.
    """

    content_type: str = ""
    expires_in_s: int | None = None
    user: tuple[tuple[str, str], ...] = ()
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted us, and grants this.

    `session_expiry_s`: how long it keeps our session while we are away, which may be less than we
    asked for.

    `max_packet_bytes`: the longest packet that it takes; `receive_maximum`: how many publications
    may wait for its answer.
    """

    session_present: bool
    session_expiry_s: int
    max_packet_bytes: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Messages on this topic may come from now on."""

    topic: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The answer to one publication; the others are not touched by it.

    `words`: the reason's name and number, then the broker's own words, cleaned.
    """

    ticket: int
    reason: int
    words: str

    @property
    def refused(self) -> bool:
        """Did the broker not take it? (An acknowledgement with 135 is a refusal.)"""
        return self.reason >= FIRST_FAILURE


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came.

    `connection`: the number of the one that brought it; acknowledging on another would be
    meaningless. `packet_bytes`: what it weighed.
    """

    topic: str
    untrusted_payload: bytes
    packet_id: int
    qos: int
    connection: int
    packet_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker said no to what we `asked`: to accept us, or to let us subscribe.

    The connection is over.
    """

    asked: str
    reason: int
    words: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over.

    `reason`: the broker's, where it said one. `words`: why, as far as we know, with the broker's
    own words, cleaned.
    """

    reason: int | None
    words: str


Event = Connected | Subscribed | Acknowledged | Received | Refused | Disconnected
