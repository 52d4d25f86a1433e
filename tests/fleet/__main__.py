"""Plays a fleet on each broker, shows how far it is, and prints what was seen: a table, or one line
of JSON. Exit code 1 where a read was lost, stored or rung twice, or has no receipt.
"""

import argparse
import json
import resource
import signal
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.fleet.brokers import MOSQUITTO, RABBITMQ
from tests.fleet.page import page
from tests.fleet.play import Outcome, Play
from tests.fleet.sizes import STORES, Sizes

PLANTS = ("no-receipt", "lost-read", "double-ring")


def main() -> int:
    options = _parsed()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended
    _open_files()
    sizes = Sizes(**{field.name: getattr(options, field.name) for field in fields(Sizes)})
    console = Console(stderr=True, highlight=False, markup=False)
    outcomes = [_played(name, sizes, console) for name in options.broker or (MOSQUITTO, RABBITMQ)]
    for outcome in outcomes:
        for fault in outcome.faults:
            console.print(f"FAULT {outcome.broker}: {fault}")
    shown = page(outcomes)
    if options.table:
        options.table.write_text(shown)
    print(json.dumps([one.table() for one in outcomes]) if options.json else shown)
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _open_files() -> None:
    """As many as may be, for brokers and sessions too: each session is one at both ends."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fleet",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for field in fields(Sizes):
        choices = {"plant": PLANTS, "store": STORES}.get(field.name)
        name = "--" + field.name.replace("_", "-")
        words, kind = field.metadata["help"], type(field.default)
        parser.add_argument(name, type=kind, default=field.default, choices=choices, help=words)
    parser.add_argument("--broker", action="append", choices=(MOSQUITTO, RABBITMQ), help="one only")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--table", type=Path, help="write the table for docs/ref/fleet.md there")
    return parser.parse_args()


def _played(name: str, sizes: Sizes, console: Console) -> Outcome:
    columns = (TextColumn("{task.description:<38}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="platewarden-fleet-") as folder,
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
    ):
        Path(folder).chmod(0o711)  # PostgreSQL is another user
        task = progress.add_task(f"{name}: starts", total=None)

        def show(what: str, done: int, of: int) -> None:
            progress.update(task, description=f"{name}: {what}", completed=done, total=of)

        return Play(Path(folder), name, sizes, show).run()


if __name__ == "__main__":
    sys.exit(main())
