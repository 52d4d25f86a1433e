#!/usr/bin/env bash
# Mosquitto acknowledges messages that a kill then loses, with persistence on; two settings keep them.
#
# A kill -9 of a broker that this script starts; its subscriber is away with a session of a day.
# Needs python3 with venv, mosquitto 2.0. About 20 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

PATH+=:/usr/sbin
command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
command -v mosquitto >/dev/null || { echo "needs mosquitto: apt-get install mosquitto" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - "$work" $((20000 + RANDOM % 10000)) <<'EOF'
import getpass
import pathlib
import re
import subprocess
import sys
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WORK, PORT, COUNT = pathlib.Path(sys.argv[1]), int(sys.argv[2]), 200
SAVING = ["autosave_on_changes true", "autosave_interval 1"]


def started(folder, extra):
    folder.mkdir(exist_ok=True)
    conf = ["persistence true", f"persistence_location {folder}/", f"listener {PORT} 127.0.0.1",
            "allow_anonymous true", f"user {getpass.getuser()}", *extra]
    (folder / "conf").write_text("\n".join(conf) + "\n")
    with (folder / "log").open("a") as log:
        return subprocess.Popen(["mosquitto", "-c", folder / "conf"], stdout=log, stderr=log)


def connected(name, **callbacks):
    client, ready = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5), threading.Event()
    client.on_connect = lambda *_: ready.set()
    for callback, action in callbacks.items():
        setattr(client, callback, action)
    asked = Properties(PacketTypes.CONNECT)
    asked.SessionExpiryInterval = 86400
    for _ in range(50):
        try:
            client.connect("127.0.0.1", PORT, clean_start=False, properties=asked)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.loop_start()
    ready.wait(10)
    return client


def gone(client):
    client.disconnect()
    client.loop_stop()


def kept(folder, extra):
    """How many were acknowledged, and how many arrive after the kill."""
    broker = started(folder, extra)
    subscribed, acknowledged, arrived = threading.Event(), [], []
    receiver = connected("receiver", on_subscribe=lambda *_: subscribed.set())
    receiver.subscribe("reads", qos=1)
    subscribed.wait(10)
    gone(receiver)
    camera = connected("camera", on_publish=lambda c, u, mid, reason, p: acknowledged.append(reason.value == 0))
    for number in range(COUNT):
        camera.publish("reads", str(number), qos=1).wait_for_publish(10)
    time.sleep(2)
    broker.kill()
    broker.wait()
    camera.loop_stop()
    broker = started(folder, extra)
    receiver = connected("receiver", on_message=lambda c, u, message: arrived.append(message.payload))
    time.sleep(2)
    gone(receiver)
    broker.terminate()
    broker.wait()
    return sum(acknowledged), len(set(arrived))


default, saving = kept(WORK / "default", []), kept(WORK / "saving", SAVING)
print(re.search("mosquitto version [0-9.]+", (WORK / "default/log").read_text())[0])
print("One would guess: with `persistence true`, what was acknowledged is on the disk.")
print(f"Seen after kill -9: {default[1]} of {default[0]} acknowledged arrive by default, "
      f"{saving[1]} of {saving[0]} with {' and '.join(SAVING)}.")
sys.exit(None if (default, saving) == ((COUNT, 0), (COUNT, COUNT)) else "This has changed.")
EOF
