"""A recipient that costs little: it answers each sealed read at once, checks and stores nothing.

It runs as a file, in the environment of the build that is measured: `quick_recipient.py CA PORT`,
with its signing key (hex) on standard input. It prints a line when it is subscribed.
"""

import base64
import hashlib
import json
import socket
import sys
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def receipt(key, wire):
    """Compact JWS over the receipt of these sealed bytes."""
    header = wire.partition(b".")[0]
    tags = json.loads(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)))["alpr"]
    said = {
        "v": 1,
        "read": tags["read"],
        "sha256": hashlib.sha256(wire).hexdigest(),
        "device": tags["device"],
        "recipient": tags["recipient"],
        "outcome": "stored",
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    typed = canonical({"alg": "Ed25519", "typ": "platewarden-receipt"})
    signed = unpadded(typed) + b"." + unpadded(canonical(said))
    return tags["device"], signed + b"." + unpadded(key.sign(signed))


def main():
    ca, port = sys.argv[1:]
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.stdin.readline()))
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="recipient", protocol=mqtt.MQTTv5)
    client.tls_set(ca)
    client.max_inflight_messages_set(100)

    def answer(_client, _data, message):
        device, answered = receipt(key, message.payload)
        client.publish(f"platewarden/1/receipts/{device}", answered, qos=1)

    client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )
    client.on_connect = lambda *_: client.subscribe("platewarden/1/reads/+", qos=1)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = answer
    client.connect("127.0.0.1", int(port))
    client.loop_forever()


if __name__ == "__main__":
    main()
