#!/usr/bin/env bash
# paho calls on_publish while it holds the lock that publish() of a QoS 1 message takes.
#
# Another thread tries the lock for half a second; nothing waits for ever.
# Needs python3 with venv, mosquitto. About 10 s, 300 s at most.
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
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" >"$work/conf"
mosquitto -c "$work/conf" >"$work/log" 2>&1 &
broker=$!

"$work/venv/bin/python" - "$port" <<'EOF'
import sys
import threading
import time
from importlib.metadata import version

from paho.mqtt.client import CallbackAPIVersion, Client

client, free, done = Client(CallbackAPIVersion.VERSION2), [], threading.Event()


def others_can_publish():
    got = client._out_message_mutex.acquire(timeout=0.5)
    if got:
        client._out_message_mutex.release()
    free.append(got)


def probed():
    thread = threading.Thread(target=others_can_publish)
    thread.start()
    thread.join()


def published(*_):
    probed()
    done.set()


client.on_publish = published
for _ in range(50):
    try:
        client.connect("127.0.0.1", int(sys.argv[1]))
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
client.loop_start()
client.publish("reads", b"x", qos=1)
done.wait(10)
time.sleep(0.2)
probed()
client.loop_stop()
print(f"paho-mqtt {version('paho-mqtt')}")
print("One would guess: while on_publish runs, another thread may publish.")
print(f"Seen, the lock of QoS 1 messages is free: {free[0]} inside on_publish, {free[1]} after it.")
print("A callback that waits for a thread that publishes would wait for itself.")
sys.exit(None if free == [False, True] else "This has changed.")
EOF
