"""The demo's embedded MQTT broker (iotcore: rumqttd in a wheel) with TLS on a free loopback
port.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from agent.demo.pki import ServerIdentity
from agent.errors import PlatewardenError

LOOPBACK = "127.0.0.1"

_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
[v5.1]
name = "demo"
listen = "{listen}"
next_connection_delay_ms = 1
    [v5.1.tls]
    certpath = "{certificate}"
    keypath = "{key}"
    [v5.1.connections]
    connection_timeout_ms = 10000
    throttle_delay_ms = 0
    max_payload_size = 65536
    max_inflight_count = 100
    dynamic_filters = true
"""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def running_broker(folder: Path, identity: ServerIdentity, port: int) -> Iterator[None]:
    """Run the broker until the block ends.

    `folder` takes its configuration. Raises PlatewardenError when it cannot start.
    """
    try:
        from iotcore import Broker  # noqa: PLC0415 — an extra: only the demo needs it
    except ImportError:
        raise PlatewardenError(
            "the demo's embedded broker is not installed", fix="pip install 'platewarden[demo]'"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"rumqttd-{port}.toml"
    config.write_text(
        _CONFIG.format(
            listen=f"{LOOPBACK}:{port}", certificate=identity.certificate, key=identity.key
        )
    )
    broker = Broker(config_path=str(config))
    try:
        broker.start()
    except (OSError, RuntimeError) as error:
        raise PlatewardenError(
            f"the embedded broker did not start: {error}",
            fix="try again; another program may have taken the port",
        ) from None
    try:
        yield
    finally:
        broker.stop()
