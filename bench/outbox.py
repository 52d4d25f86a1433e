"""What the outbox and the receiver cost here, beside another checkout of this project: `python -m
bench.outbox --against PATH` (docs/ref/bench.md).

Rounds alternate between the two, each in a fresh process, so that a busy machine is busy for both.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from agent.errors import PlatewardenError, UsageError

ROOT = Path(__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("outbox_child.py")
WIDE = 120  # columns, where the table goes to no terminal
NAMES = {
    "rest_ms_a_second": "CPU at rest, ms a second",
    "watch_round_ms": "  a round of watch, CPU ms",
    "deliver_pass_ms": "  a pass of deliver, CPU ms",
    "watch_start_ms": "watch takes its ledger in, CPU ms",
    "watch_first_round_ms": "watch's first round, CPU ms",
    "deliver_until_sent_ms": "deliver until all is sent once, CPU ms",
    "put_ms": "a put, ms",
    "bare_ms": "bare write, sync, rename, sync of the folder, ms",
    "bare_unsynced_folder_ms": "bare write, sync, rename, ms",
    "receiver_start_ms": "the receiver's start, ms",
    "receiver_status_ms": "receiver status, ms",
    "receiver_read_cpu_ms": "the receiver takes a read, 20 at a time, CPU ms",
    "receiver_read_alone_cpu_ms": "  one at a time, CPU ms",
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.outbox", description=__doc__)
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout, commit 920b943 or later; its .venv is used if it has one",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each (3)")
    parser.add_argument("--reads", type=int, default=5_000, metavar="N", help="waiting (5000)")
    parser.add_argument("--puts", type=int, default=200, metavar="N", help="puts a round (200)")
    parser.add_argument(
        "--rows", type=int, default=100_000, metavar="N", help="in the receiver's store (100000)"
    )
    parser.add_argument("--taken", type=int, default=200, metavar="N", help="reads a round (200)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="on the disk that is measured; else /tmp's"
    )
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.reads, options.puts, options.rows, options.taken) < 1:
        parser.error("all numbers start at 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    options = parse(arguments)
    try:
        figures = measured(options)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures, options)


def measured(options: argparse.Namespace) -> dict[str, object]:
    """Medians of each checkout. Raises PlatewardenError."""
    checkouts = {"here": ROOT} | ({"there": options.against} if options.against else {})
    for path in checkouts.values():
        if not (path / "agent" / "storage" / "outbox.py").is_file():
            raise UsageError("no checkout of Platewarden", where=path, fix="give its root folder")
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    # Each round's folder stays until the end: while ext4 remembers deleted inodes, it looks through
    # them at each new file, which then costs forty times as much.
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-", dir=options.folder) as root:
        for number in range(options.rounds):
            for name, path in checkouts.items():
                folder = Path(root) / f"{name}-{number}"
                folder.mkdir()
                rounds[name].append(one_round(path.resolve(), folder, options))
    middles = {
        name: {figure: median(one[figure] for one in of) for figure in NAMES}
        for name, of in rounds.items()
    }
    return {"on": machine(), "rounds": options.rounds, "medians": middles, "all": rounds}


def one_round(checkout: Path, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """A fresh process in that checkout."""
    python = checkout / ".venv" / "bin" / "python"
    numbers = map(str, (options.reads, options.puts, options.rows, options.taken))
    done = subprocess.run(
        [python if python.exists() else sys.executable, CHILD, folder, *numbers],
        cwd=checkout,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PlatewardenError(
            "the measured process ended with an error, which stands above", where=checkout
        )
    return json.loads(done.stdout)


def machine() -> str:
    """What ran it."""
    return (
        f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def show(figures: dict, options: argparse.Namespace) -> None:
    """The table, and the ratios that the project holds itself to."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(
        f"{figures['on']}; medians of {options.rounds} rounds; {options.reads} reads wait, "
        f"{options.puts} puts, {options.rows} rows, {options.taken} reads taken"
    )
    here, there = figures["medians"]["here"], figures["medians"].get("there")
    table = Table("", "here", *(("there", "here ÷ there") if there else ()))
    for name, words in NAMES.items():
        row = [words, f"{here[name]:.3f}"]
        if there:
            row += [f"{there[name]:.3f}", f"{here[name] / there[name]:.4f}"]
        table.add_row(*row)
    console.print(table)
    console.print(
        "puts, as a share of the bare file's speed: "
        f"{here['bare_ms'] / here['put_ms']:.2f} with the folder's sync, "
        f"{here['bare_unsynced_folder_ms'] / here['put_ms']:.2f} without"
        + (
            f" (there {there['bare_ms'] / there['put_ms']:.2f}, "
            f"{there['bare_unsynced_folder_ms'] / there['put_ms']:.2f})"
            if there
            else ""
        )
    )


if __name__ == "__main__":
    main()
