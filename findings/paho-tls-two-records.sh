#!/usr/bin/env bash
# Past 16 kB a publish over TLS takes 40 ms longer: paho leaves TCP_NODELAY off, and it is two TLS records.
#
# The second record waits until the broker's kernel acknowledges the first, which it delays.
# Needs python3 with venv, mosquitto, openssl; Linux. About 30 s, 300 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 300 bash "$0"

PATH+=:/usr/sbin
for program in python3:python3-venv mosquitto:mosquitto openssl:openssl; do
    command -v "${program%:*}" >/dev/null || { echo "needs apt-get install ${program#*:}" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'trap "" TERM; kill "${broker:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0
} || { echo "could not install what this runs" >&2; exit 2; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$work/key" -out "$work/certificate" 2>/dev/null
port=$((20000 + RANDOM % 10000))
printf '%s\n' "listener $port 127.0.0.1" "allow_anonymous true" "set_tcp_nodelay true" "user $(id -un)" \
    "certfile $work/certificate" "keyfile $work/key" >"$work/conf"
mosquitto -c "$work/conf" >"$work/log" 2>&1 &
broker=$!

"$work/venv/bin/python" - "$port" "$work/certificate" <<'EOF'
import socket
import statistics
import sys
import threading
import time
from importlib.metadata import version

from paho.mqtt.client import CallbackAPIVersion, Client

ONE, TWO = 15_000, 17_000  # bytes: one TLS record, and two (a record holds 16,384)


def median_ms(size, no_delay):
    client, ready, took = Client(CallbackAPIVersion.VERSION2), threading.Event(), []
    client.on_connect = lambda *_: ready.set()
    if no_delay:
        client.on_socket_open = lambda client, userdata, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.tls_set(ca_certs=sys.argv[2])
    for _ in range(50):
        try:
            client.connect("localhost", int(sys.argv[1]))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.loop_start()
    ready.wait(10)
    for _ in range(21):
        begun = time.perf_counter()
        client.publish("reads", bytes(size), qos=1).wait_for_publish(10)
        took.append(1000 * (time.perf_counter() - begun))
        time.sleep(0.06)
    client.disconnect()
    client.loop_stop()
    return statistics.median(took)


one, two, two_at_once = median_ms(ONE, False), median_ms(TWO, False), median_ms(TWO, True)
print(f"paho-mqtt {version('paho-mqtt')}")
print("One would guess: an eighth more bytes take an eighth longer.")
print(f"Seen, publish to PUBACK: {ONE} bytes {one:.1f} ms, {TWO} bytes {two:.1f} ms, "
      f"{TWO} bytes with TCP_NODELAY {two_at_once:.1f} ms.")
sys.exit(None if two > 30 and two > 3 * one and two > 3 * two_at_once else "This has changed.")
EOF
