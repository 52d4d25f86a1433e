"""How many reads a second are stored in one PostgreSQL and receipted, by one receiver and by two,
beside bare paho that puts the same bytes there: `python -m bench.shared_receivers`
(docs/ref/bench.md).

The reads wait at the broker when a round begins, so neither their sealing nor any start is in a
figure: it goes from the first receipt to the last. PostgreSQL syncs each commit.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rich.console import Console

from tests.support.postgresql import Postgresql
from tests.support.sealed import RECIPIENT
from tests.support.shared_receivers import SharedReceivers

WAIT_S = 600
WAYS = ("bare paho", "one receiver", "two receivers")


def connected(ca, certificate, port):
    """A client whose session the broker keeps, subscribed; it acknowledges by hand."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, "bench", protocol=mqtt.MQTTv5, manual_ack=True
    )
    client.tls_set(ca, *certificate)
    client.tls_insecure_set(True)
    asked = Properties(PacketTypes.CONNECT)
    asked.SessionExpiryInterval, asked.ReceiveMaximum = 3_600, 20
    client.on_connect = lambda *_: client.subscribe(f"platewarden/1/reads/{RECIPIENT}", qos=1)
    client.connect("127.0.0.1", int(port), clean_start=False, properties=asked)
    return client


def bare(url, count, ca, certificate, key, port):
    """The measured process: each message a committed row, then its acknowledgement. With a `count`
    of 0 it only makes the session. Prints the seconds from the first to the last.
    """
    client, times = connected(ca, (certificate, key), port), []
    client.on_subscribe = lambda *_: client.disconnect() if not int(count) else None
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("CREATE TABLE IF NOT EXISTS bare (wire bytea NOT NULL)")

        def take(_client, _data, message):
            store.execute("INSERT INTO bare VALUES (%s)", (message.payload,))
            client.ack(message.mid, message.qos)
            times.append(time.monotonic())
            if len(times) == int(count):
                client.disconnect()

        client.on_message = take
        client.loop_forever()
    print(times[-1] - times[0] if times else 0.0)


def of_bare(city, url, wires, camera):
    """Reads a second."""
    place = city.folders[0]
    command = [sys.executable, "-m", "bench.shared_receivers", "--bare", url]
    rest = [city.ca, place / "tls.crt", place / "tls.key", city.broker.port]

    def run(count):
        done = subprocess.run(
            [*command, *map(str, (count, *rest))], stdout=subprocess.PIPE, check=True, text=True
        )
        return float(done.stdout.split()[-1])

    run(0)
    for wire in wires:
        camera.publish(wire)
    return (len(wires) - 1) / run(len(wires))


def of_receivers(city, count, wires, camera):
    """Reads a second, until each has a receipt, from whichever."""
    for number in range(count):  # sessions, with nothing in them
        city.start(number).wait_ready().stop()
    while not camera.no_receipt():
        pass
    for wire in wires:
        camera.publish(wire)
    running, seen, times = [city.start(number) for number in range(count)], set(), []
    while len(seen) < len(wires):
        receipt = camera.receipt()
        if receipt.read_id not in seen:
            seen.add(receipt.read_id)
            times.append(time.monotonic())
    for one in running:
        one.stop()
    return (len(times) - 1) / (times[-1] - times[0])


def one_round(way, folder, reads):
    """A fresh database and broker."""
    with (
        Postgresql(folder, durable=True) as server,
        tempfile.TemporaryDirectory(prefix="platewarden-bench-", dir=folder) as place,
    ):
        url = server.url()
        with SharedReceivers(Path(place), url) as city:
            camera, wires = city.camera(), [city.enrolled.seal().wire for _ in range(reads)]
            try:
                if way == WAYS[0]:
                    return of_bare(city, url, wires, camera)
                return of_receivers(city, WAYS.index(way), wires, camera)
            finally:
                camera.close()


def main():
    """Rounds in turn, then the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.shared_receivers", description=__doc__)
    parser.add_argument("--reads", type=int, default=1_000, metavar="N", help="in a round (1,000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each way (3)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="on the disk that is measured")
    parser.add_argument("--json", action="store_true", help="the medians as JSON")
    options = parser.parse_args()
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    console = Console(stderr=True)
    for number in range(options.rounds):
        for way in WAYS:
            with console.status(f"round {number + 1} of {options.rounds}: {way}"):
                speeds[way].append(one_round(way, options.folder, options.reads))
            console.print(f"{way}: {speeds[way][-1]:.0f} reads/s")
    middle = {way: statistics.median(of) for way, of in speeds.items()}
    if options.json:
        print(json.dumps(middle))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians")
    for way, speed in middle.items():
        low, high = min(speeds[way]), max(speeds[way])
        ratio = speed / middle[WAYS[0]]
        print(f"{way:<14} {speed:6.0f} reads/s ({low:.0f} to {high:.0f}), {ratio:.2f} of bare paho")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(*sys.argv[2:])
    else:
        main()
