"""What checking a long audit log costs, beside an older build: `python -m bench.audit`.

CPU a leaf and peak memory of `audit verify`, and the time of one proof (docs/ref/bench.md).

The log is made up, in a temporary folder that is removed. Its leaves and checkpoints are written
as the camera writes them, many in one transaction. Builds take turns; each figure is the median.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.audit.proofs.proof_maker import ProofMaker
from agent.core.log.checkpoint import origin_of
from agent.core.text.strict_json import public_jwk
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PlatewardenError
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import load_trusted_keys
from bench.one_run import report_beside_base
from bench.stream.builds import ROOT, base_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEVICE, BATCH, SMALL = "cam-bench-1", 5_000, 1_000
KIB_PER_MB = 1024


def write_log(folder: Path, leaves: int) -> Path:
    """A log of releases and receipts, and its public keys beside it; its folder."""
    key = Ed25519PrivateKey.generate()
    start, seconds = datetime(2027, 1, 15, tzinfo=UTC), iter(range(10**9))
    clock = lambda: Instant(start + timedelta(seconds=next(seconds)), ClockTrust.OS)  # noqa: E731
    with AuditLog(folder / "log.sqlite", origin_of(DEVICE, "watch"), key, clock) as log:
        for first in range(0, leaves, BATCH):
            numbers = range(first, min(first + BATCH, leaves))
            log.append_all("release", [release(number) for number in numbers])
    jwk = public_jwk("Ed25519", key.public_key().public_bytes_raw())
    table = {"device": DEVICE, "watch_log": jwk, "deliver_log": jwk}
    (folder / "public.json").write_text(json.dumps(table))
    return folder


def release(number: int) -> dict[str, object]:
    """Details as long as watch's own."""
    return {
        "read": f"{number:032x}",
        "recipient": "exampleville-pd",
        "sequence": number,
        "rule": "stolen-and-amber",
        "purpose": "stolen-vehicle-recovery",
        "category": "stolen-vehicle",
        "match": "exact",
        "deadline": "2027-02-05T00:00:00.000Z",
        "policy": "City of Exampleville ALPR policy",
        "policy_version": 7,
        "policy_digest": "ab" * 32,
        "sha256": "cd" * 32,
    }


def verified(build: Path, log: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of one `audit verify` by that build, with this Python."""
    words = ["-m", "agent", "audit", "verify", str(log), "--key", str(log / "public.json")]
    environment = {**os.environ, "PYTHONPATH": str(build)}
    with subprocess.Popen(
        [sys.executable, *words, "--json"], cwd=build, env=environment, stdout=subprocess.DEVNULL
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise PlatewardenError(f"audit verify ended with {child.returncode}", where=build)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / KIB_PER_MB


def measured(options: argparse.Namespace, folder: Path, base: Path | None) -> dict[str, object]:
    """All figures; start-up is taken off by a second, short log."""
    long = write_log(folder / "long", options.leaves)
    short = write_log(folder / "short", SMALL)
    builds = {"ours": ROOT} | ({"base": base} if base else {})
    micros: dict[str, list[float]] = {name: [] for name in builds}
    memory: dict[str, list[tuple[float, float]]] = {name: [] for name in builds}
    for _ in range(options.rounds):
        for name, build in builds.items():
            (quick, little), (slow, much) = verified(build, short), verified(build, long)
            micros[name].append((slow - quick) / (options.leaves - SMALL) * 1e6)
            memory[name].append((little, much))
    found: dict[str, object] = {"leaves": options.leaves, "rounds": options.rounds}
    for name in builds:
        found[name] = {
            "cpu_us_a_leaf": round(median(micros[name]), 2),
            "peak_mb_short": round(median(one for one, _ in memory[name])),
            "peak_mb_long": round(median(two for _, two in memory[name])),
        }
    found["proof"] = proof_ms(long, options.leaves)
    if base:
        ratios = [
            ours / theirs for ours, theirs in zip(micros["ours"], micros["base"], strict=True)
        ]
        found["ours_by_base"] = round(median(ratios), 4)
    return found


def proof_ms(log: Path, leaves: int) -> dict[str, float]:
    """Wall and CPU of one `audit prove`, without the start of Python: the median of 21 leaves."""
    maker = ProofMaker(log, load_trusted_keys(log / "public.json"))
    walls, cpus = [], []
    for number in range(0, leaves, max(1, leaves // 21)):
        wall, cpu = time.perf_counter(), time.process_time()
        maker.inclusion(number)
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
    return {"wall_ms": round(median(walls), 2), "cpu_ms": round(median(cpus), 2)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--leaves", type=int, default=100_000, metavar="N", help="(100,000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="A B A B is two (3)")
    base_options(parser)
    options = parser.parse_args(arguments)
    if options.leaves <= SMALL or options.rounds < 1:
        parser.error(f"--leaves is more than {SMALL}, --rounds starts at 1")
    report_beside_base(measured, options)


if __name__ == "__main__":
    main()
