#!/usr/bin/env bash
# Past its limit of open files Mosquitto leaves a client without an answer, and its log says "denied access by tcpd".
#
# Debian's unit sets no limit, so systemd's holds: 1,024 files, and every client is one. Mosquitto does not raise it,
# though the hard limit allows more. A limit of 100 shows the same sooner.
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
cat >"$work/join.py" <<'EOF'
import sys
import time

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

joined = []
for number in range(150):
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"camera-{number}", protocol=MQTTv5)
    answers = []
    client.on_connect = lambda _c, _d, _f, reason, _p, answers=answers: answers.append(reason.value)
    for _ in range(50):
        try:
            client.connect("127.0.0.1", int(sys.argv[1]))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    end, code = time.monotonic() + 5, 0
    while not answers and not code and time.monotonic() < end:
        code = client.loop(0.1)
    if answers != [0]:
        break
    joined.append(client)
print("all" if len(joined) == 150 else "some")
EOF
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "user $(id -un)" >"$work/conf"
(ulimit -S -n 100 && exec mosquitto -c "$work/conf") >"$work/log" 2>&1 &
broker=$!
joined=$("$work/venv/bin/python" "$work/join.py" "$port")
limits=$(grep "Max open files" "/proc/$broker/limits" | tr -s ' ')
words=$(grep -om1 "denied access by tcpd" "$work/log" || echo "nothing of it")

grep -om1 'mosquitto version [0-9.]*' "$work/log"
echo "One would guess: a broker raises its soft limit, or answers \"server unavailable\" (136) and logs that it has no file left."
echo "Seen, with a soft limit of 100 ($limits): $joined of 150 clients joined, and the log says: $words."
[ "$joined / $words" = "some / denied access by tcpd" ] || { echo "This has changed." >&2; exit 1; }
