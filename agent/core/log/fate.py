"""What became of a read that was handed over to a broker, as the publisher tells it."""

from enum import StrEnum

from agent.values import dataclass


class Fate(StrEnum):
    """What became of one read that was handed over to a broker.

    LOST: the connection ended before the answer; nothing is known of the read.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    TOO_LARGE = "too-large"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one read. `words`: the broker's own, cleaned, with its address.

    `suspect`: a lost read that may be what ended the connection.
    """

    read_id: str
    fate: Fate
    words: str = ""
    suspect: bool = False


class Post(StrEnum):
    """What a camera sends to its city, beside reads to recipients."""

    CHECKPOINT = "checkpoint"
    HEALTH = "health message"
    DISCOVERY = "discovery message"


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """A broker's to what it was sent for the city. `refusal`: why it did not take it, or ""."""

    broker: str
    refusal: str
    about: Post = Post.CHECKPOINT
