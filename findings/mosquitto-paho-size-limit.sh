#!/usr/bin/env bash
# Mosquitto answers a message over its message_size_limit with PUBACK 149, which paho takes for a breach.
#
# MQTT 5 (3.4.2.1) lists no 149 for a PUBACK. The two then go round: connect, send again, disconnect.
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
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "log_type all" \
    "message_size_limit 100" >"$work/conf"
mosquitto -c "$work/conf" >"$work/log" 2>&1 &
broker=$!

"$work/venv/bin/python" - "$port" "$work/log" <<'EOF'
import pathlib
import re
import sys
import time
from importlib.metadata import version

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

ends = []
client = Client(CallbackAPIVersion.VERSION2, client_id="camera", protocol=MQTTv5)
client.on_disconnect = lambda client, userdata, flags, reason, properties: ends.append(
    (reason.value, flags.is_disconnect_packet_from_server))
for _ in range(50):
    try:
        client.connect("127.0.0.1", int(sys.argv[1]))
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
client.loop_start()
large = client.publish("reads", bytes(200), qos=1)
time.sleep(5)
client.loop_stop()
log = pathlib.Path(sys.argv[2]).read_text()
print(re.search("mosquitto version [0-9.]+", log)[0], f"paho-mqtt {version('paho-mqtt')}", sep=", ")
print("One would guess: the broker refuses the one message, on_publish is told, the connection stays.")
print(f"Seen: {log.count('rc149')} times PUBACK 149, {len(ends)} disconnects by paho itself with "
      f"reason {sorted({reason for reason, _ in ends})}; is_published() {large.is_published()}.")
as_then = log.count("rc149") > 1 and len(ends) > 1 and set(ends) == {(130, False)}
sys.exit(None if as_then and not large.is_published() else "This has changed.")
EOF
