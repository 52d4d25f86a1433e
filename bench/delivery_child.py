"""The measured process of `python -m bench.delivery`: one round over the checkout in which it runs,
with its own `deliver` and its own test rig. The figures are one JSON line.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path.cwd()))

from tests.support.delivery_rig import Rig
from tests.support.mosquitto import Mosquitto
from tests.support.pki import HOST

QUICK = Path(__file__).with_name("quick_recipient.py")
BARE_MESSAGES = 300


@contextlib.contextmanager
def quick_recipient(rig, port):
    """In a process of its own, as everybody else."""
    key = rig.parties.recipient_key.private_bytes_raw().hex()
    with subprocess.Popen(
        [sys.executable, QUICK, rig.ca.pem, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdin.write(key + "\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def cpu_s(pid):
    """User and system time of a process so far, seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def receipts_in(folder):
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sum(1 for entry in entries if entry.name.endswith(".receipt"))
    return 0


def delivered(rig, broker, reads):
    """From the first receipt to the last."""
    rig.write_policy(rig.policy(broker.port))
    rig.seal(reads)
    with rig.deliver("--allow-unsigned") as deliver:
        pids = deliver.process.pid, broker._process.pid  # noqa: SLF001 - to be measured
        first = began = before = None
        done = 0
        while done < reads:
            done = receipts_in(rig.receipts)
            if done and first is None:
                first, began, before = done, time.monotonic(), [cpu_s(pid) for pid in pids]
            time.sleep(0.02)
        wall_s, after = time.monotonic() - began, [cpu_s(pid) for pid in pids]
        deliver.stop()
    (user, system), (broker_user, broker_system) = (
        [1000 * (late - early) / (reads - first) for early, late in zip(*pair, strict=True)]
        for pair in zip(before, after, strict=True)
    )
    return {
        "reads_s": (reads - first) / wall_s,
        "deliver_ms": user + system,
        "user_ms": user,
        "broker_ms": broker_user + broker_system,
    }


def bare(rig, broker, payload, in_flight, *, nodelay):
    """Messages a second, published and acknowledged, by paho alone."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set(str(rig.ca.pem))
    client.tls_insecure_set(True)  # the name is HOST, and the address is dialled
    if nodelay:
        client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
    client.max_inflight_messages_set(in_flight)
    client.connect(broker.address, broker.port)
    client.loop_start()
    count = BARE_MESSAGES if nodelay else BARE_MESSAGES // 10
    began = time.monotonic()
    if in_flight == 1:
        for _ in range(count):
            client.publish(f"bare/{HOST}", payload, qos=1).wait_for_publish(10)
    else:
        for sent in [client.publish(f"bare/{HOST}", payload, qos=1) for _ in range(count)]:
            sent.wait_for_publish(10)
    wall_s = time.monotonic() - began
    client.disconnect()
    client.loop_stop()
    return count / wall_s


def main():
    reads, folder = int(sys.argv[1]), next(iter(sys.argv[2:]), None)
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-", dir=folder) as place:
        rig = Rig(Path(place))
        with Mosquitto(rig.folder / "broker", rig.server) as broker:
            with quick_recipient(rig, broker.port):
                figures = delivered(rig, broker, reads)
            payload = next(rig.outbox.glob("*.sealed")).read_bytes()
            figures["bare_alone_delayed_s"] = bare(rig, broker, payload, 1, nodelay=False)
            figures["bare_alone_s"] = bare(rig, broker, payload, 1, nodelay=True)
            figures["bare_in_flight_s"] = bare(rig, broker, payload, 20, nodelay=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
