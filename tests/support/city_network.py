"""A broker as a policy lists it, and a publisher to it, for tests against a real Mosquitto."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from agent.core.log.fate import Fate, Outcome
from agent.core.policy.policy import Broker
from agent.errors import NetworkError
from agent.network.broker_link import LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.network.publisher import MqttPublisher
from tests.support.pki import HOST, Authority, Credentials

RECIPIENT = "exampleville-pd"
DEVICE = "cam-7"
QUICK = LinkLimits(connect_timeout_s=3, answer_timeout_s=3, acknowledge_timeout_s=3)


def broker(
    server: Credentials,
    *addresses: tuple[str, int],
    host: str = HOST,
    pins: frozenset[bytes] | None = None,
    **other: object,
) -> Broker:
    """A [[broker]] that lists `addresses` and, unless told otherwise, the server's true pin and
    name.
    """
    listed = {
        "id": "city-hall",
        "ca": "city-hall-ca.pem",
        "recipients": frozenset({RECIPIENT}),
        **other,
    }
    return Broker(
        host=host,
        addresses=addresses,
        spki_pins=frozenset({server.pin}) if pins is None else pins,
        **listed,
    )


def publisher(
    ca: Authority,
    *brokers: Broker,
    egress: Egress | None = None,
    client: Credentials | None = None,
    limits: LinkLimits = QUICK,
    refused: Callable[[str, str, str], None] = lambda *_: None,
) -> MqttPublisher:
    """A publisher whose broker contexts all trust `ca`."""
    files = (client.certificate, client.key) if client else None
    contexts = {
        b.id: context_for(
            b, ca.pem.read_bytes(), f"broker {b.id!r}", limits.max_receipt_bytes + 1024, files
        )
        for b in brokers
    }
    return MqttPublisher(
        brokers,
        contexts,
        DEVICE,
        egress or Egress(brokers),
        now=lambda: datetime.now(UTC),
        jitter=lambda: 0.0,
        refused=refused,
        limits=limits,
    )


def fates(sender, *read_ids: str, seconds: float = 10.0) -> dict[str, Outcome]:
    """What became of these reads."""
    found: dict[str, Outcome] = {}
    end_s = time.monotonic() + seconds
    while not found.keys() >= set(read_ids):
        assert time.monotonic() < end_s, f"no outcome in time, but {found}"
        found |= {outcome.read_id: outcome for outcome in sender.collect(0.05)}
    return found


def send(sender, recipient: str, read_id: str, wire: bytes, expires: datetime) -> None:
    """Hand one read over and wait for its acknowledgement.

    Raises NetworkError for anything else.
    """
    end_s = time.monotonic() + 10
    while not sender.publish(recipient, read_id, wire, expires):
        assert time.monotonic() < end_s, "never any room"
        sender.collect(0.05)
    outcome = fates(sender, read_id)[read_id]
    if outcome.fate is not Fate.ACKNOWLEDGED:
        raise NetworkError(outcome.words)


def receipts_of(sender) -> list[bytes]:
    """What has come by now."""
    sender.collect(0.0)
    return list(sender.untrusted_receipts())
