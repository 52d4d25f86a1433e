#!/usr/bin/env bash
# One environment variable moves paho's connection to another host as soon as PySocks is installed.
#
# Both ends are sockets of this script.
# Needs python3 with venv. About 15 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
pip() { "$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$1" ||
    { echo "could not install $1" >&2; exit 2; }; }
python3 -m venv "$work/venv" || { echo "needs venv: apt-get install python3-venv" >&2; exit 2; }
pip paho-mqtt==2.2.0

cat >"$work/connect.py" <<'EOF'
import contextlib
import os
import socket
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client

ends, called = {}, []
for name in ("broker", "elsewhere"):
    ends[name] = socket.create_server(("127.0.0.1", 0))


def answer(name):
    while True:
        peer, _ = ends[name].accept()
        called.append(name)
        peer.close()


for name in ends:
    threading.Thread(target=answer, args=[name], daemon=True).start()
os.environ["mqtt_proxy"] = "http://127.0.0.1:{}".format(ends["elsewhere"].getsockname()[1])
with contextlib.suppress(Exception):  # what PySocks raises when a proxy hangs up
    Client(CallbackAPIVersion.VERSION2).connect("127.0.0.1", ends["broker"].getsockname()[1])
time.sleep(0.5)
print(*called)
EOF
without=$("$work/venv/bin/python" "$work/connect.py")
pip PySocks==1.7.1
with=$("$work/venv/bin/python" "$work/connect.py")

"$work/venv/bin/pip" list 2>/dev/null | grep -iE 'paho|socks'
echo "One would guess: connect(host) reaches that host, or the program must ask for a proxy."
echo "Seen, with mqtt_proxy set: without PySocks the call reaches the $without, with it installed: $with."
[ "$without $with" = "broker elsewhere" ] || { echo "This has changed." >&2; exit 1; }
