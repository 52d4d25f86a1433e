"""Listens on the demo's broker with every right that its operator has, and keeps what it hears: the
broker's view of us.
"""

import ssl
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.errors import NetworkError
from agent.receiver.tls import NamedHostContext

_WAIT_S = 10.0


class Tap:
    """Writes each message, as `<number>-<topic with dots>`, into `folder`, from `start` until
    `stop`.
    """

    def __init__(self, folder: Path, authority_pem: bytes, host_in_certificate: str) -> None:
        self._folder, self._count, self._ready = folder, 0, threading.Event()
        context = NamedHostContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verified_host = host_in_certificate
        context.load_verify_locations(cadata=authority_pem.decode("ascii"))
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="tap", protocol=mqtt.MQTTv5
        )
        self._client.tls_set_context(context)
        self._client.on_connect = lambda client, *_rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_rest: self._ready.set()
        self._client.on_message = self._keep

    def start(self, address: str, port: int) -> None:
        """Return when subscribed. Raises NetworkError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._client.connect(address, port)
        except OSError as error:
            raise NetworkError(
                f"cannot listen on the demo's broker: {error}", where=f"{address}:{port}"
            ) from None
        self._client.loop_start()
        if not self._ready.wait(_WAIT_S):
            raise NetworkError(
                "the demo's broker did not answer", where=f"{address}:{port}", fix="try again"
            )

    def stop(self) -> None:
        """Disconnect; the files stay."""
        self._client.disconnect()
        self._client.loop_stop()

    def heard(self) -> bytes:
        """All payloads so far, in order, joined."""
        return b"".join(path.read_bytes() for path in sorted(self._folder.iterdir()))

    def _keep(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        self._count += 1
        (self._folder / f"{self._count:04d}-{message.topic.replace('/', '.')}").write_bytes(
            bytes(message.payload)
        )
