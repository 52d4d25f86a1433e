#!/usr/bin/env bash
# A message that the broker refuses is is_published() for paho, and wait_for_publish() returns as if well.
#
# Needs python3 with venv, mosquitto. About 10 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

PATH+=:/usr/sbin
command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
command -v mosquitto >/dev/null || { echo "needs mosquitto: apt-get install mosquitto" >&2; exit 2; }
work=$(mktemp -d)
chmod 755 "$work" # mosquitto may give up root before it reads the rules
trap 'trap "" TERM; kill "${broker:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

port=$((20000 + RANDOM % 10000))
echo "topic read #" >"$work/rules"
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "acl_file $work/rules" >"$work/conf"
mosquitto -c "$work/conf" >"$work/log" 2>&1 &
broker=$!

"$work/venv/bin/python" - "$port" <<'EOF'
import sys
import time
from importlib.metadata import version

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5, MQTTv311

seen = {}
for name, protocol in (("MQTT 5", MQTTv5), ("MQTT 3.1.1", MQTTv311)):
    reasons = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.on_publish = lambda client, userdata, mid, reason, properties: reasons.append(reason)
    for _ in range(50):
        try:
            client.connect("127.0.0.1", int(sys.argv[1]))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.loop_start()
    message = client.publish("reads", b"x", qos=1)
    message.wait_for_publish(10)
    time.sleep(0.2)
    seen[name] = (message.is_published(), message.rc.value, reasons[0].value)
    client.disconnect()
    client.loop_stop()
print(f"paho-mqtt {version('paho-mqtt')}")
print("One would guess: is_published() is False, or rc an error, for what the broker's rules forbid.")
for name, (published, rc, reason) in seen.items():
    print(f"Seen, {name}: is_published() {published}, rc {rc}, on_publish is told {reason}.")
expected = {"MQTT 5": (True, 0, 135), "MQTT 3.1.1": (True, 0, 0)}
sys.exit(None if seen == expected else "This has changed.")
EOF
