"""Whom a broker lets in: the name in a certificate decides what its holder may read and write."""

from agent.mqtt.topics import (
    checkpoints_topic,
    collected_topic,
    health_topic,
    reads_topic,
    receipts_topic,
)
from agent.values import dataclass

CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER = (
    "platewarden-check-camera",
    "platewarden-check-recipient",
    "platewarden-check-stranger",
)
"""Three certificates for `platewarden broker check`: so it never has to take the place of a camera
or recipient that is at work. The third may do nothing.
"""
COLLECTOR = "platewarden-collector"
"""Of the city's `audit collect` or `fleet run`: it reads what cameras tell of their logs and of
their health, and answers the former.
"""
RESERVED = frozenset({CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER, COLLECTOR})


@dataclass(frozen=True, slots=True)
class Rights:
    """What the holder of one certificate may do. Topics as in MQTT, filters among them."""

    name: str
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def recipient_of(name: str) -> str:
    """Whose reads the holder of a certificate receives: `exampleville-pd.2` is the second receiver
    of `exampleville-pd`. An id holds no dot, so no recipient has such a name of its own.
    """
    return name.partition(".")[0]


def rights(cameras: tuple[str, ...], recipients: tuple[str, ...]) -> tuple[Rights, ...]:
    """A camera writes reads and reads its own receipts, and tells the collector how far its logs
    have come and how it is; a recipient reads its own reads and writes receipts. The check's camera
    and recipient may do the same with each other, and no more: the recipient plays the collector,
    too.

    `recipients`: as in their certificates, one for each of several receivers.
    """
    reads = tuple(reads_topic(one) for one in dict.fromkeys(map(recipient_of, recipients)))
    return (
        *(_camera(camera, reads) for camera in cameras),
        *(
            Rights(name, (receipts_topic("+"),), (reads_topic(recipient_of(name)),))
            for name in recipients
        ),
        Rights(COLLECTOR, (collected_topic("+"),), (checkpoints_topic("+"), health_topic("+"))),
        _camera(CHECK_CAMERA, (reads_topic(CHECK_RECIPIENT),)),
        Rights(
            CHECK_RECIPIENT,
            (receipts_topic(CHECK_CAMERA), collected_topic(CHECK_CAMERA)),
            (
                reads_topic(CHECK_RECIPIENT),
                checkpoints_topic(CHECK_CAMERA),
                health_topic(CHECK_CAMERA),
            ),
        ),
    )


def _camera(name: str, reads: tuple[str, ...]) -> Rights:
    own = receipts_topic(name), collected_topic(name)
    return Rights(name, (*reads, checkpoints_topic(name), health_topic(name)), own)
