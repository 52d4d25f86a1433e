#!/usr/bin/env bash
# Mosquitto with `autosave_on_changes` writes all that waits again for each acknowledgement.
#
# Messages of 5 kB wait for a subscriber, which then takes them one by one; the bytes are the
# broker's own, from /proc.
# Needs python3 with venv, mosquitto 2.0, Linux. About 20 s, 300 s at most.
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

WORK, PORT, FEW, TIMES = pathlib.Path(sys.argv[1]), int(sys.argv[2]), 50, 4
MESSAGE = bytes(5_000)


def started(folder):
    folder.mkdir()
    conf = ["persistence true", f"persistence_location {folder}/", f"listener {PORT} 127.0.0.1",
            "allow_anonymous true", f"user {getpass.getuser()}", "max_queued_messages 10000",
            "autosave_on_changes true", "autosave_interval 1"]
    (folder / "conf").write_text("\n".join(conf) + "\n")
    with (folder / "log").open("w") as log:
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


def written(broker):
    """Bytes that the broker has handed to the system to write, sockets included."""
    return int(re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{broker.pid}/io").read_text())[1])


def cost(count):
    """Bytes written while so many waiting messages are taken, without the messages themselves."""
    broker = started(WORK / str(count))
    subscribed, arrived, all_here = threading.Event(), [], threading.Event()
    receiver = connected("receiver", on_subscribe=lambda *_: subscribed.set())
    receiver.subscribe("reads", qos=1)
    subscribed.wait(10)
    gone(receiver)
    camera = connected("camera")
    for _ in range(count):
        camera.publish("reads", MESSAGE, qos=1).wait_for_publish(10)
    gone(camera)
    before = written(broker)

    def took(_client, _userdata, message):
        arrived.append(len(message.payload))
        if len(arrived) == count:
            all_here.set()

    receiver = connected("receiver", on_message=took)
    all_here.wait(60)
    time.sleep(1)
    spent = written(broker) - before - sum(arrived)
    gone(receiver)
    broker.terminate()
    broker.wait()
    assert len(arrived) == count, "not all arrived"
    return spent


few, many = cost(FEW), cost(TIMES * FEW)
print(re.search("mosquitto version [0-9.]+", (WORK / str(FEW) / "log").read_text())[0])
print(f"One would guess: {TIMES} times the messages are {TIMES} times the work.")
print(f"Seen: to hand out {FEW} of 5 kB it writes {few / 1e6:.1f} MB, "
      f"for {TIMES * FEW} {many / 1e6:.1f} MB: {many / few:.0f} times as much.")
sys.exit(None if many > 2 * TIMES * few else "This has changed.")
EOF
