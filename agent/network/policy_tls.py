"""A destination of the policy as the TLS socket sees it: host name, CA, pins."""

from pathlib import Path

from agent.core.policy.policy import Broker
from agent.mqtt import pinned_tls
from agent.mqtt.pinned_tls import Peer, PinnedContext


def context_for(
    broker: Broker,
    ca_pem: bytes,
    what: str,
    max_packet_bytes: int,
    client: tuple[Path, Path] | None = None,
) -> PinnedContext:
    """A context for one [[broker]] or [[bundle_source]]; errors name it as `what`. `client`: this
    device's certificate and key files.

    Raises ConfigError for an unusable CA, StorageError for an unusable client certificate.
    """
    peer = Peer(
        broker.host,
        broker.spki_pins,
        what=what,
        ca=broker.ca,
        advice="the policy's ca and host must fit the broker",
    )
    return pinned_tls.context_for(peer, ca_pem, max_packet_bytes, client)
