#!/usr/bin/env bash
# rumqttd hangs up on a subscriber that acknowledges out of order, and never sends the first one again.
#
# rumqttd comes in the wheel of iotcore.
# Needs python3 with venv. About 20 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: iotcore==0.4.0 paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

cat >"$work/broker.toml" <<EOF
id = 0
[router]
id = 0
max_connections = 10
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10
[v5.1]
name = "one"
listen = "127.0.0.1:$((20000 + RANDOM % 10000))"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 10000
throttle_delay_ms = 0
max_payload_size = 65536
max_inflight_count = 100
dynamic_filters = true
EOF
"$work/venv/bin/python" - "$work/broker.toml" <<'EOF'
import pathlib
import sys
import threading
import time
import tomllib
from importlib.metadata import version

from iotcore import Broker
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

CONFIG = pathlib.Path(sys.argv[1])
PORT = int(tomllib.loads(CONFIG.read_text())["v5"]["1"]["listen"].split(":")[1])


class Peer:
    def __init__(self, name, manual_ack):
        self.messages, self.ends, self.ready, self.subscribed = [], 0, threading.Event(), threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5, manual_ack=manual_ack)
        self.client.on_connect = lambda *_: self.ready.set()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda client, userdata, message: self.messages.append(message)
        self.client.on_disconnect = self.ended
        asked = Properties(PacketTypes.CONNECT)
        asked.SessionExpiryInterval = 600
        for _ in range(50):
            try:
                self.client.connect("127.0.0.1", PORT, clean_start=False, properties=asked)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        self.client.loop_start()
        self.ready.wait(10)

    def ended(self, *_):
        self.ends += 1


def seen(order):
    """Disconnects, and what is sent again, when three messages are acknowledged in this order."""
    topic = f"reads/{order[0]}"
    subscriber, publisher = Peer(f"subscriber{order[0]}", True), Peer(f"publisher{order[0]}", False)
    subscriber.client.subscribe(topic, qos=1)
    subscriber.subscribed.wait(10)
    for word in ("first", "second", "third"):
        publisher.client.publish(topic, word, qos=1)
    time.sleep(1)
    three = subscriber.messages[:3]
    for number in order:
        subscriber.client.ack(three[number].mid, 1)
    time.sleep(4)
    ends, again = subscriber.ends, [message.payload.decode() for message in subscriber.messages[3:]]
    for peer in (subscriber, publisher):
        peer.client.disconnect()
        peer.client.loop_stop()
    return ends, again


broker = Broker(config_path=str(CONFIG))
broker.start()
try:
    in_order, out_of_order = seen([0, 1, 2]), seen([2])
finally:
    broker.stop()
print(f"iotcore {version('iotcore')} (rumqttd)")
print("One would guess: the third of three may be acknowledged first, and the other two stay due.")
print(f"Seen, in order: {in_order[0]} disconnects, sent again: {in_order[1] or 'none'}.")
print(f"Seen, the third first: {out_of_order[0]} disconnect; after the reconnect, sent again: "
      f"{', '.join(out_of_order[1])}. The first, never acknowledged, is lost.")
sys.exit(None if (in_order, out_of_order) == ((0, []), (1, ["second", "third"])) else "This has changed.")
EOF
