#!/usr/bin/env bash
# Mosquitto forgets a session at an orderly restart if it was begun with clean_start, however long it should live.
#
# In MQTT 5 the Session Expiry Interval says how long a session lives, and Clean Start only how it begins.
# Needs python3 with venv, mosquitto 2.0. About 15 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

PATH+=:/usr/sbin
command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
command -v mosquitto >/dev/null || { echo "needs mosquitto: apt-get install mosquitto" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; kill "${broker:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

port=$((20000 + RANDOM % 10000))
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "persistence true" \
    "persistence_location $work/" "user $(id -un)" >"$work/conf"
cat >"$work/visit.py" <<'EOF'
import sys
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

name, clean, port = sys.argv[1], sys.argv[2] == "clean", int(sys.argv[3])
met, subscribed = [], threading.Event()


def connected(client, userdata, flags, reason, properties):
    met.append(flags.session_present)
    client.subscribe("reads", qos=1)


client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
client.on_connect, client.on_subscribe = connected, lambda *_: subscribed.set()
asked = Properties(PacketTypes.CONNECT)
asked.SessionExpiryInterval = 86400
for _ in range(50):
    try:
        client.connect("127.0.0.1", port, clean_start=clean, properties=asked)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
client.loop_start()
subscribed.wait(10)
client.disconnect()
client.loop_stop()
print(met[0])
EOF
start() { mosquitto -c "$work/conf" >>"$work/log" 2>&1 & broker=$!; }
visit() { "$work/venv/bin/python" "$work/visit.py" "$1" "$2" "$port"; }

start
visit anew clean >/dev/null
visit resumed kept >/dev/null
before=$(visit anew kept)
visit again clean >/dev/null # what stands at the restart was begun with clean_start
kill "$broker"
wait "$broker" || true
start
cleaned=$(visit again kept)
kept=$(visit resumed kept)

grep -om1 'mosquitto version [0-9.]*' "$work/log"
echo "One would guess: a session with an expiry of a day outlives a restart, however it began."
echo "Seen: without a restart the session begun with clean_start is there: $before."
echo "After an orderly restart: $cleaned; one begun without clean_start: $kept."
[ "$before $cleaned $kept" = "True False True" ] || { echo "This has changed." >&2; exit 1; }
