#!/usr/bin/env bash
# paho sends more QoS 1 messages at once than the broker's CONNACK allows (MQTT 5, 3.3.4 Receive Maximum).
#
# The broker is a socket of this script that grants two, and acknowledges nothing.
# Needs python3 with venv. About 10 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import socket
import sys
import threading
import time
from importlib.metadata import version

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

GRANTED = 2
CONNACK = bytes([0x20, 6, 0, 0, 3, 0x21, 0, GRANTED])  # success; property 0x21 is Receive Maximum

listener = socket.create_server(("127.0.0.1", 0))
ready, told = threading.Event(), []


def connected(client, userdata, flags, reason, properties):
    told.append(properties.ReceiveMaximum)
    ready.set()


def counted():  # publications until half a second brings nothing
    peer, _ = listener.accept()
    peer.recv(1000)  # CONNECT
    peer.sendall(CONNACK)
    peer.settimeout(2)
    data = b""
    try:
        while more := peer.recv(1000):
            data += more
    except TimeoutError:
        pass
    count = 0
    while len(data) > 1:  # every packet here is shorter than 128 bytes
        count += data[0] >> 4 == 3
        data = data[2 + data[1]:]
    sent.append(count)


sent = []
broker = threading.Thread(target=counted)
broker.start()
client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
client.on_connect = connected
client.connect("127.0.0.1", listener.getsockname()[1])
client.loop_start()
ready.wait(10)
for _ in range(50):
    client.publish("reads", b"x", qos=1)
broker.join()
client.loop_stop()

print(f"paho-mqtt {version('paho-mqtt')}")
print(f"One would guess: with a Receive Maximum of {GRANTED} in the CONNACK, {GRANTED} messages are under way.")
print(f"Seen: on_connect is told {told[0]}, and {sent[0]} are sent before any is acknowledged.")
sys.exit(None if told == [GRANTED] and sent[0] > GRANTED else "This has changed.")
EOF
