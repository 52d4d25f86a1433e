"""Deliver's memory over very many reads: `python -m bench.endurance [--reads N]`
(docs/ref/bench.md).

A real `deliver` process, a real Mosquitto over TLS and a recipient that answers at once. The part
of watch is played here: new reads come as receipts take old ones out. Each read has its own id,
number and signature, and a ciphertext that nobody can open: deliver looks no further.
"""

import argparse
import base64
import json
import secrets
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from rich.progress import Progress

mpl.use("Agg")  # no window, no display

from matplotlib import pyplot as plt

from agent.core.wire.sealed_read import join, jwe_header, jws_header, split, tags_of
from bench.delivery_child import quick_recipient
from tests.support import sealed
from tests.support.delivery_rig import Rig
from tests.support.mosquitto import Mosquitto

UNIT = Path(__file__).parents[1] / "systemd" / "platewarden-deliver.service"
WAITING = 200  # in the outbox at any time
SAMPLES = 500
MB = 1024
MOST_MB = 60


class Source:
    """Sealed reads without end, small ones. Each differs from the last in id, number and
    signature.
    """

    def __init__(self, rig: Rig) -> None:
        sample = rig.parties.sealer().seal(sealed.sighting(rig.now), sealed.release(), 1).wire
        envelope = split(sample)
        self._tags, self._key = tags_of(envelope), rig.parties.device_key
        self._epk = envelope.header["epk"]
        small = base64.urlsafe_b64encode(bytes(2_048)).rstrip(b"=").decode()
        encrypted, nonce, _, tag = envelope.jwe.decode().split(".")[1:]
        self._rest = f"{encrypted}.{nonce}.{small}.{tag}"
        self._signer = unpadded(jws_header(sealed.DEVICE))

    def read(self, number: int) -> tuple[str, bytes]:
        """Its id and its wire form."""
        read_id = secrets.token_hex(16)
        tags = replace(self._tags, read_id=read_id, sequence=number)
        jwe = f"{unpadded({**jwe_header(tags), 'epk': self._epk})}.{self._rest}".encode()
        signature = self._key.sign(self._signer.encode() + b"." + jwe)
        encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        return read_id, join(jwe, self._signer, encoded)


def unpadded(header: dict[str, object]) -> str:
    """A header as compact JOSE has it."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def memory_mb(pid: int) -> float:
    """Resident memory of a process, 2^20 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / MB


def allocator() -> dict[str, str]:
    """What the unit tells the C library's allocator (mallopt(3))."""
    words = [
        word
        for line in UNIT.read_text().splitlines()
        if line.startswith("Environment=")
        for word in line.removeprefix("Environment=").split()
    ]
    return dict(word.split("=", 1) for word in words if word.startswith("MALLOC_"))


class Watch:
    """Puts reads into the outbox, and takes them out for their receipts."""

    def __init__(self, rig: Rig) -> None:
        self._rig, self._source = rig, Source(rig)
        self.put = self.settled = 0
        self._waiting: set[str] = set()

    def round(self, reads: int) -> None:
        """Take out what has its receipt, then fill up."""
        for path in self._rig.receipts.glob("*.receipt"):
            read_id = path.stem
            if read_id in self._waiting:
                self._waiting.remove(read_id)
                (self._rig.outbox / f"{read_id}.sealed").unlink()
                self.settled += 1
        while len(self._waiting) < WAITING and self.put < reads:
            self.put += 1
            read_id, wire = self._source.read(self.put)
            part = self._rig.outbox / f".{read_id}.part"
            part.write_bytes(wire)
            part.rename(self._rig.outbox / f"{read_id}.sealed")
            self._waiting.add(read_id)


def watched(rig: Rig, reads: int, most_s: float) -> list[tuple[int, float]]:
    """How many reads were receipted, and deliver's memory then; until all are, or time is up."""
    watch, samples, every = Watch(rig), [], max(1, reads // SAMPLES)
    end_s = time.monotonic() + most_s
    started = rig.deliver("--allow-unsigned", environment=allocator())
    with started as deliver, Progress() as progress:
        bar = progress.add_task("reads", total=reads)
        while watch.settled < reads and time.monotonic() < end_s:
            watch.round(reads)
            progress.update(bar, completed=watch.settled)
            if watch.settled >= len(samples) * every:
                samples.append((watch.settled, memory_mb(deliver.process.pid)))
            time.sleep(0.02)
    return samples


def plot(samples: list[tuple[int, float]], path: Path) -> None:
    """Memory over reads."""
    figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot(*zip(*samples, strict=True), color="#0072B2", linewidth=1)
    axes.axhline(MOST_MB, color="#D55E00", linewidth=1, linestyle="--")
    axes.set(xlabel="reads delivered and receipted", ylabel="memory of deliver, MB", xlim=0)
    axes.set_ylim(0, 1.2 * max(MOST_MB, *(mb for _, mb in samples)))
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run, then the figures and the plot."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--reads", type=int, default=1_000_000, metavar="N", help="(a million)")
    parser.add_argument("--minutes", type=float, default=120, metavar="N", help="at most (120)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where it works; else /tmp")
    parser.add_argument("--out", type=Path, default=Path("bench/out"), metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-", dir=options.folder) as place:
        rig = Rig(Path(place))
        quiet = ["log_type none"]
        with Mosquitto(rig.folder / "broker", rig.server, options=quiet) as broker:
            rig.write_policy(rig.policy(broker.port))
            with quick_recipient(rig, broker.port):
                samples = watched(rig, options.reads, 60 * options.minutes)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "endurance.json").write_text(json.dumps(samples))
    plot(samples, options.out / "endurance.png")
    reads, memory = zip(*samples, strict=True)
    early = [mb for count, mb in samples if count >= reads[-1] / 10]
    print(
        f"{reads[-1]} reads delivered and receipted; deliver's memory {memory[0]:.1f} MB at the "
        f"start, {early[0]:.1f} after a tenth, {memory[-1]:.1f} at the end, {max(memory):.1f} at "
        "most (2^20 bytes)"
    )


if __name__ == "__main__":
    main()
