"""How fast sealed reads are delivered and receipted over TLS to a Mosquitto, and what a read costs
`deliver` in CPU: `python -m bench.delivery [--against CHECKOUT]`.

The other build is another checkout of ours with a virtual environment in `.venv`. Rounds alternate,
medians are told. The recipient answers at once, and nothing takes the reads out of the outbox.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parents[1]


def one_round(reads: int) -> dict[str, float]:
    """Of the checkout in which this process runs: its own `deliver`, its own test rig."""
    sys.path.insert(0, str(Path.cwd()))
    from tests.support.delivery_rig import Recipient, Rig  # noqa: PLC0415 - of that checkout
    from tests.support.mosquitto import Mosquitto  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        with Mosquitto(rig.folder / "broker", rig.server) as broker:
            recipient = Recipient(rig, broker.port)
            rig.write_policy(rig.policy(broker.port))
            rig.seal(reads)
            first, began_s, ended_s = 0, 0.0, 0.0
            with rig.deliver("--allow-unsigned") as deliver:
                done = 0
                while done < reads:
                    done = sum(1 for _ in rig.receipts.glob("*.receipt"))
                    ended_s = time.monotonic()
                    if done and not began_s:
                        first, began_s = done, ended_s
                    time.sleep(0.02)
                deliver.stop()
            recipient.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime  # with its start, and the broker's
    return {"reads_s": (reads - first) / max(ended_s - began_s, 1e-3), "cpu_s": cpu_s}


def measured(checkout: Path, reads: int) -> dict[str, float]:
    """One round in a fresh process of that checkout."""
    done = subprocess.run(
        [checkout / ".venv/bin/python", Path(__file__).resolve(), "--child", str(reads)],
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
    parser.add_argument("--child", type=int, metavar="N", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(one_round(options.child)))
        return
    builds = [HERE, *([options.against.resolve()] if options.against else [])]
    few = max(10, options.reads // 10)
    speeds: dict[Path, list[float]] = {build: [] for build in builds}
    costs: dict[Path, list[float]] = {build: [] for build in builds}
    for _ in range(options.rounds):
        for build in builds:
            small, large = measured(build, few), measured(build, options.reads)
            speeds[build].append(large["reads_s"])
            # the difference of two rounds: the start of processes falls out
            spent_ms = 1000 * (large["cpu_s"] - small["cpu_s"])
            costs[build].append(spent_ms / (options.reads - few))
    for build in builds:
        print(
            f"{build.name}: {statistics.median(speeds[build]):.0f} reads/s delivered and receipted "
            f"({min(speeds[build]):.0f} to {max(speeds[build]):.0f}), "
            f"{statistics.median(costs[build]):.1f} ms CPU a read (deliver and broker)"
        )


if __name__ == "__main__":
    main()
