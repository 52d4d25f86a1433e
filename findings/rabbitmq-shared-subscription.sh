#!/usr/bin/env bash
# RabbitMQ 4 says in CONNACK that it has no shared subscriptions, grants one, and delivers nothing to it.
#
# MQTT 5 has reason 158 for that. The broker is Debian 13's, in a tree and namespaces of its own.
# Needs root, mmdebstrap, unshare, ip, python3 with venv, a Debian with apt sources. About 3 minutes, 900 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 900 bash "$0"

[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
for program in mmdebstrap:mmdebstrap unshare:util-linux ip:iproute2 python3:python3-venv; do
    command -v "${program%:*}" >/dev/null || { echo "needs apt-get install ${program#*:}" >&2; exit 2; }
done
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
    2>/dev/null | grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' |
    tr -d ' ' | head -n 1) || true
[ -n "$mirror" ] || { echo "needs a Debian mirror in this machine's apt sources" >&2; exit 2; }

work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: paho-mqtt==2.2.0 &&
    mmdebstrap --quiet --variant=apt --include=rabbitmq-server=4.0.5* \
        --aptopt='APT::Install-Recommends "false"' trixie "$work/tree" "$mirror"
} || { echo "could not install what this runs" >&2; exit 2; }

mkdir "$work/tree/run/findings"
cat >"$work/tree/run/findings/rabbitmq.conf" <<'EOF'
listeners.tcp.default = 127.0.0.1:5672
mqtt.listeners.tcp.1 = 127.0.0.1:1883
EOF
echo '[rabbitmq_mqtt].' >"$work/tree/run/findings/plugins"
cat >"$work/subscribe.py" <<'EOF'
import sys
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

told, granted, came = [], [], {"shared": 0, "plain": 0}


def connected(name):
    def arrived(*_):
        came[name] += 1

    client, ready = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5), threading.Event()
    client.on_connect = lambda c, u, flags, reason, properties: (told.append(properties), ready.set())
    client.on_subscribe = lambda c, u, mid, reasons, properties: (granted.append(reasons[0].value), ready.set())
    client.on_message = arrived
    for _ in range(120):
        try:
            client.connect("127.0.0.1", 1883)
            break
        except ConnectionRefusedError:
            time.sleep(0.5)
    client.loop_start()
    ready.wait(10)
    ready.clear()
    return client, ready


for name, topic in (("shared", "$share/receivers/reads"), ("plain", "reads")):
    client, ready = connected(name)
    client.subscribe(topic, qos=1)
    ready.wait(10)
camera, _ = connected("camera")
for number in range(20):
    camera.publish("reads", str(number), qos=1).wait_for_publish(10)
time.sleep(3)
available = told[0].SharedSubscriptionAvailable
print("One would guess: SUBACK refuses a shared subscription (158), or its share of the messages arrives.")
print(f"Seen: CONNACK says Shared Subscription Available {available}, SUBACK grants QoS {granted[0]}; of 20 "
      f"messages {came['shared']} come to it and {came['plain']} to a plain subscriber.")
sys.exit(None if (available, granted[0], came) == (0, 1, {"shared": 0, "plain": 20}) else "This has changed.")
EOF
chroot "$work/tree" dpkg-query -W rabbitmq-server
export WORK=$work
# shellcheck disable=SC2016 # $WORK is for the inner shell
unshare --mount --net --pid --fork --kill-child bash -euc '
    ip link set lo up
    mount -t proc proc "$WORK/tree/proc"
    here=/run/findings
    chroot "$WORK/tree" env HOME=$here RABBITMQ_NODENAME=one@localhost RABBITMQ_LOG_BASE=$here \
        RABBITMQ_MNESIA_BASE=$here/data RABBITMQ_ENABLED_PLUGINS_FILE=$here/plugins \
        RABBITMQ_CONFIG_FILE=$here/rabbitmq.conf /usr/lib/rabbitmq/bin/rabbitmq-server >"$WORK/log" 2>&1 &
    "$WORK/venv/bin/python" "$WORK/subscribe.py"'
