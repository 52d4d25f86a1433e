"""How fast sealed reads are delivered and receipted over TLS to a Mosquitto, and what a read costs
`deliver` in CPU: `python -m bench.delivery [--against CHECKOUT]` (docs/ref/bench.md).

The other build is another checkout of ours with a virtual environment in `.venv`. Rounds alternate,
medians are told. The recipient answers at once, and nothing takes the reads out of the outbox. From
the first receipt to the last: no start and no end of a process is in any figure.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
CHILD = Path(__file__).with_name("delivery_child.py")
LEAST = 100
BARE = ("bare_alone_delayed_s", "bare_alone_s", "bare_in_flight_s")


def measured(checkout: Path, reads: int, folder: Path | None) -> dict[str, float]:
    """One round in a fresh process of that checkout."""
    python = checkout / ".venv/bin/python"
    done = subprocess.run(
        [
            python if python.exists() else sys.executable,
            CHILD,
            str(reads),
            *([folder] if folder else []),
        ],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Rounds in turn, then the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another build of ours")
    parser.add_argument("--reads", type=int, default=300, metavar="N", help="in a round (300)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="for each build (3)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="on the disk that is measured; else /tmp's"
    )
    options = parser.parse_args()
    if options.rounds < 1 or options.reads < LEAST:
        parser.error(f"at least one round of {LEAST} reads: the first come all at once")
    builds = [HERE, *([options.against.resolve()] if options.against else [])]
    rounds: dict[Path, list[dict[str, float]]] = {build: [] for build in builds}
    for _ in range(options.rounds):
        for build in builds:
            rounds[build].append(measured(build, options.reads, options.folder))
    tell(rounds, options.rounds)


def tell(rounds: dict[Path, list[dict[str, float]]], count: int) -> None:
    """The medians; beside them what paho alone does, over the same broker and TLS."""
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; medians of {count}")
    middles = {
        build: {name: statistics.median(one[name] for one in of) for name in of[0]}
        for build, of in rounds.items()
    }
    for build, middle in middles.items():
        speeds = [one["reads_s"] for one in rounds[build]]
        print(
            f"{build.name}: {middle['reads_s']:.0f} reads/s delivered and receipted "
            f"({min(speeds):.0f} to {max(speeds):.0f}), "
            f"{middle['deliver_ms']:.2f} ms CPU a read in deliver ({middle['user_ms']:.2f} of them "
            f"outside the kernel), {middle['broker_ms']:.2f} in the broker"
        )
    if len(middles) > 1:
        ours, theirs = middles.values()
        ratios = {name: ours[name] / theirs[name] for name in ("reads_s", "deliver_ms", "user_ms")}
        print(
            f"here ÷ there: {ratios['reads_s']:.1f} in speed, {ratios['deliver_ms']:.2f} in CPU, "
            f"{ratios['user_ms']:.2f} outside the kernel"
        )
    alone_delayed, alone, in_flight = (next(iter(middles.values()))[name] for name in BARE)
    print(
        f"bare paho, the same bytes, until PUBACK: one by one {alone_delayed:.0f} a second, with "
        f"TCP_NODELAY {alone:.0f}, 20 in flight {in_flight:.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
