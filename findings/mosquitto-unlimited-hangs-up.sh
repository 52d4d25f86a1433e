#!/usr/bin/env bash
# With `max_queued_messages 0`, no limit, Mosquitto hangs up on whoever publishes where its access list forbids it.
#
# With any other number the forbidden message gets PUBACK 135, and the connection goes on (MQTT 5, 3.4.2.1).
# Needs python3 with venv, mosquitto 2.0. About 10 s, 300 s at most.
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
printf '%s\n' "topic readwrite open" >"$work/acl"
cat >"$work/publish.py" <<'EOF'
import sys
import time

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

answers, ended = [], []


def until(happened):
    end = time.monotonic() + 10
    while not happened() and time.monotonic() < end:
        time.sleep(0.05)


client = Client(CallbackAPIVersion.VERSION2, client_id="camera", protocol=MQTTv5, reconnect_on_failure=False)
client.on_publish = lambda _c, _d, _m, reason, _p: answers.append(reason.value)
client.on_disconnect = lambda _c, _d, flags, _r, _p: ended.append(flags.is_disconnect_packet_from_server)
for _ in range(50):
    try:
        client.connect("127.0.0.1", int(sys.argv[1]))
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
client.loop_start()
until(client.is_connected)
client.publish("open", b"x", qos=1)
until(lambda: answers)
time.sleep(1)
stays = client.is_connected()
client.publish("shut", b"x", qos=1)
until(lambda: len(answers) > 1)
until(lambda: ended)
print(answers, "stays" if stays else "gone", "ended" if ended else "stays", "DISCONNECT" if any(ended) else "no word")
client.loop_stop()
EOF
with_limit() {
    port=$((port + 1))
    printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "acl_file $work/acl" \
        "user $(id -un)" "max_queued_messages $1" >"$work/conf"
    mosquitto -c "$work/conf" >>"$work/log" 2>&1 &
    broker=$!
    seen=$("$work/venv/bin/python" "$work/publish.py" "$port")
    kill "$broker"
    wait "$broker" || true
}
with_limit 1000
limited=$seen
with_limit 0

grep -om1 'mosquitto version [0-9.]*' "$work/log"
echo "One would guess: a forbidden message is answered with PUBACK 135, and the connection goes on, limit or not."
echo "Seen, with a limit of 1000: answers to an allowed and a forbidden message $limited."
echo "Without a limit: $seen."
[ "$limited / $seen" = "[16, 135] stays stays no word / [16, 135] stays ended no word" ] || { echo "This has changed." >&2; exit 1; }
