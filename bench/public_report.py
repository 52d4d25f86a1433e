"""How long the public report of a year takes: `python -m bench.public_report`.

A city with a publication a day, and cameras whose logs count every hour and tell of some readings a
day; all made up, in a temporary folder that is removed (docs/ref/bench.md).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.repository.signing_keys import load_signer
from agent.city.publication import publish_city
from agent.city.rig_city import ONLINE_KEY, RECIPIENT, found_rig
from agent.core.log.checkpoint import origin_of
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import public_jwk
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PlatewardenError
from agent.storage.audit_log import AuditLog
from bench.audit import release
from bench.one_run import report
from bench.stream.builds import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

BEGUN, DAY, HOUR = datetime(2027, 1, 1, tzinfo=UTC), timedelta(days=1), timedelta(hours=1)
HOURS = 24
KIB_PER_MB = 1024
Leaves = tuple[str, list[dict[str, object]], list[datetime]]


def city_with_archive(folder: Path, days: int) -> Path:
    """A rig's city, renewed once a day."""
    rig = found_rig(folder, "bench", "City of Bench", BEGUN - HOUR)
    signer = load_signer(str(rig.keys / ONLINE_KEY), lambda _what: "")
    for day in range(1, days):
        publish_city(folder, signer, lambda _rig, at=BEGUN + day * DAY: at, renew=True)  # type: ignore[misc]
    return folder


def of_watch(day: int, reads: int) -> Iterable[Leaves]:
    """One day: readings in its first hour, then the counts."""
    midnight = BEGUN + day * DAY
    numbers = range(day * reads, (day + 1) * reads)
    for kind, minute in (("release", 10), ("receipt", 30)):
        more = {"outcome": "stored", "recipient": RECIPIENT} if kind == "receipt" else {}
        deadline = rfc3339(midnight + 21 * DAY)
        many = [
            {**release(n), "recipient": RECIPIENT, "sequence": n + 1, "deadline": deadline, **more}
            for n in numbers
        ]
        yield kind, many, [midnight + timedelta(minutes=minute, seconds=n % 60) for n in numbers]
    reasons = {"no-hotlist-match": 480, "confidence-too-low": 1}
    counts: dict[str, object] = {"sightings": 490, "unreadable": 12, "reasons": reasons}
    hours = [midnight + hour * HOUR for hour in range(HOURS)]
    many = [{**counts, "hour": rfc3339(hour)} for hour in hours]
    yield "counts", many, [hour + HOUR + timedelta(seconds=1) for hour in hours]


def of_deliver(day: int, reads: int) -> Iterable[Leaves]:
    """The same day, as deliver tells it."""
    for kind, many, times in of_watch(day, reads):
        if kind != "release":
            yield kind, many, [at - timedelta(minutes=1) for at in times]


def write_logs(folder: Path, cameras: int, days: int, reads: int) -> list[Path]:
    """Both logs of every camera; their public keys, a file each."""
    keys = []
    for number in range(1, cameras + 1):
        camera, table = f"camera-{number:02}", dict[str, object]()
        for process, told in (("watch", of_watch), ("deliver", of_deliver)):
            key = Ed25519PrivateKey.generate()
            raw = key.public_key().public_bytes_raw()
            table[f"{process}_log"] = public_jwk("Ed25519", raw)
            times: list[datetime] = [BEGUN]
            clock = lambda times=times: Instant(times.pop(0), ClockTrust.OS)  # noqa: E731
            database = folder / camera / process / "log.sqlite"
            with AuditLog(database, origin_of(camera, process), key, clock) as log:
                log.query("PRAGMA synchronous = OFF")
                log.append("start", {"policy_version": 1, "policy_digest": "ab" * 32})
                for day in range(days):
                    for kind, many, at in told(day, reads):
                        times += at
                        log.append_all(kind, many)
        keys.append(folder / f"{camera}.json")
        keys[-1].write_text(json.dumps({"device": camera, **table}))
    return keys


def timed(city: Path, logs: Path, keys: Sequence[Path], out: Path) -> dict[str, float]:
    """Wall and CPU seconds of one `platewarden report`, and its own process's peak MB."""
    words = ["-m", "agent", "report", str(logs), "--city", str(city), "--period", "2027"]
    words += [part for key in keys for part in ("--key", str(key))]
    words += ["--asked", "nobody-named", "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun, before = time.perf_counter(), os.times()
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise PlatewardenError(f"report ended with {child.returncode}", where=logs)
    after = os.times()
    cpu = after.children_user + after.children_system
    return {
        "wall_s": round(time.perf_counter() - begun, 1),
        "cpu_s": round(cpu - before.children_user - before.children_system, 1),
        "peak_mb": round(used.ru_maxrss / KIB_PER_MB),
    }


def measured(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All figures."""
    city = city_with_archive(folder / "city", options.days)
    keys = write_logs(folder / "logs", options.cameras, options.days, options.reads)
    out = folder / "report.html"
    rounds = [timed(city, folder / "logs", keys, out) for _ in range(options.rounds)]
    leaves = options.cameras * (2 + options.days * (2 * HOURS + 3 * options.reads))
    return {
        "cameras": options.cameras,
        "days": options.days,
        "leaves": leaves,
        "page_kb": round(out.stat().st_size / KIB_PER_MB),
        "rounds": rounds,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(prog="python -m bench.public_report", description=__doc__)
    parser.add_argument("--cameras", type=int, default=50, metavar="N", help="(50)")
    parser.add_argument("--days", type=int, default=365, metavar="N", help="(365)")
    parser.add_argument("--reads", type=int, default=5, metavar="N", help="a day and camera (5)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="(2)")
    options = parser.parse_args(arguments)
    if min(options.cameras, options.days, options.reads, options.rounds) < 1 or options.reads > 60:
        parser.error("each is 1 or more, and --reads at most 60")
    report(lambda made: measured(options, made))


if __name__ == "__main__":
    main()
